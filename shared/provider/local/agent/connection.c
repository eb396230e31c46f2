#include "remodel.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct conn *connections;

static void conn_free(struct conn *c) {
  for (struct conn **p = &connections; *p; p = &(*p)->next)
    if (*p == c) {
      *p = c->next;
      break;
    }
  if (c->command) command_gone(c);
  watch_close(&c->watch);
  buf_free(&c->in);
  buf_free(&c->out);
  free(c);
}

/* Returns false where the connection is gone. */
static bool conn_flush(struct conn *c) {
  while (c->out.len) {
    ssize_t n = send(c->watch.fd, c->out.p, c->out.len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n < 0) return false;
    buf_drop(&c->out, (size_t)n);
  }
  watch_set(&c->watch, EPOLLIN | (c->out.len ? EPOLLOUT : 0));
  if (c->command && c->out.len < CREDIT / 2) command_drained(c);
  return true;
}

/* Only queues: what is queued goes out at the end of the event, or when the socket has room. */
void conn_send(struct conn *c, char type, const void *p, size_t n) {
  uint32_t length = (uint32_t)n;
  buf_add(&c->out, &length, 4);
  buf_add(&c->out, &type, 1);
  buf_add(&c->out, p, n);
  watch_set(&c->watch, EPOLLIN | EPOLLOUT);
}

void conn_fail(struct conn *c, const char *code, const char *format, ...) {
  char message[1024];
  struct buf out = {0};
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  buf_text(&out, code);
  buf_text(&out, message);
  conn_send(c, 'X', out.p, out.len);
  buf_free(&out);
  c->waits = 0;
  c->ending = true;
}

void conn_done(struct conn *c) {
  conn_send(c, 'A', "", 0);
  c->waits = 0;
  c->ending = true;
}

void conn_done_with(struct conn *c, const char *word) {
  struct buf out = {0};
  buf_text(&out, word);
  conn_send(c, 'A', out.p, out.len);
  buf_free(&out);
  c->waits = 0;
  c->ending = true;
}

/* Numbers that others owe this VM: what runs under smaller ones ends, and no such request is admitted any more. */
static void remember(struct conn *c, struct fields *f) {
  for (long n = field_number(f); n > 0 && !f->bad; n--) {
    const char *scope = field(f);
    long number = field_number(f);
    if (!f->bad && *scope && number > fence_largest(held.fences, scope) && !admit(c, scope, number)) return;
  }
  if (f->bad) conn_fail(c, "invalid-input", "a malformed request");
  else conn_done(c);
}

static void end_everything(struct conn *c) {
  kill(-1, SIGKILL);
  long deadline = now_ms() + 5000;
  while (now_ms() < deadline) {
    pid_t pid = waitpid(-1, NULL, WNOHANG);
    if (pid < 0 && errno == ECHILD) break;
    if (!pid) usleep(200);
  }
  conn_done(c);
  conn_flush(c);
  _exit(0);
}

static void begin(struct conn *c, char type, struct fields *f) {
  if (type == 'Q') {
    supervise_status(c);
    return;
  }
  if (type == 'L') {
    remember(c, f);
    return;
  }
  const char *scope = field(f);
  long number = field_number(f);
  if (f->bad || !strchr("ESBHMUFDNW", type)) {
    conn_fail(c, "invalid-input", "a malformed request");
    return;
  }
  if (strchr(has_rooms() ? "SBHMU" : "NW", type)) {
    conn_fail(c, "unsupported", has_rooms() ? "a renewable VM supervises nothing and has no disk" : "the VM is not renewable");
    return;
  }
  if (!admit(c, scope, number)) return;
  if (type == 'E') command_start(c, scope, number, f);
  if (type == 'S') supervise_set(c, f);
  if (type == 'B') supervise_start(c);
  if (type == 'H') supervise_stop(c, field_number(f));
  if (type == 'M') store_mount(c, field(f));
  if (type == 'U') store_unmount(c, field(f));
  if (type == 'F') conn_done(c);
  if (type == 'D') end_everything(c);
  if (type == 'N') room_renew(c);
  if (type == 'W') room_end_processes(c);
}

static void take(struct conn *c, char type, char *p, size_t n) {
  struct fields f = {p, p + n, false};
  /*
   * After the last frame the client closes, not we: it may be writing still, and a broken pipe could cost it the answer
   * that waits in its receive buffer.
   */
  if (c->ending) return;
  if (type == 'P')
    conn_send(c, 'P', "", 0);
  else if (type == 'I')
    command_input(c, p, n);
  else if (type == 'C')
    command_input_end(c);
  else if (type == 'K')
    command_kill(c);
  else if (c->command || c->waits)
    conn_fail(c, "invalid-input", "one request a connection");
  else
    begin(c, type, &f);
}

/* False on the end of the stream: a client that closed its half has gone. */
static bool conn_read(struct conn *c) {
  char chunk[16384];
  ssize_t n = recv(c->watch.fd, chunk, sizeof chunk, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
  if (n > 0) buf_add(&c->in, chunk, (size_t)n);
  size_t used = 0;
  while (c->in.len - used >= 5) {
    uint32_t length;
    memcpy(&length, c->in.p + used, 4);
    if (length > MAX_REQUEST) return false;
    if (c->in.len - used - 5 < length) break;
    take(c, c->in.p[used + 4], c->in.p + used + 5, length);
    used += 5 + length;
  }
  if (used) buf_drop(&c->in, used);
  return true;
}

static void conn_ready(struct watch *w, uint32_t events) {
  struct conn *c = w->owner;
  bool here = !(events & EPOLLIN) || conn_read(c);
  if (events & (EPOLLERR | EPOLLHUP)) here = false;
  if (!here || !conn_flush(c)) conn_free(c);
}

void conn_accept(struct watch *w, uint32_t events) {
  (void)events;
  int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    /* Out of descriptors: the peer waits in the backlog; do not spin on it. */
    if (errno == EMFILE || errno == ENFILE) usleep(1000);
    return;
  }
  struct conn *c = must(calloc(1, sizeof *c));
  c->watch = (struct watch){fd, 0, conn_ready, c};
  c->next = connections;
  connections = c;
  watch_set(&c->watch, EPOLLIN);
}
