#include "remodel.h"
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * A command runs below a keeper of its own: a subreaper that waits for it and tells its status on a pipe. While the
 * command runs, all it ever started is below the keeper and can be killed whole. When it ends by itself the keeper
 * goes, and what it left behind (a daemon) belongs to PID 1 and lives on.
 */
struct command {
  struct conn *conn;
  pid_t keeper;
  char *scope;
  long number;
  struct watch in, out, err, status;
  struct buf input;
  bool input_ended, paused;
  struct command *next;
};

static struct command *commands;

static void command_free(struct command *k) {
  for (struct command **p = &commands; *p; p = &(*p)->next)
    if (*p == k) {
      *p = k->next;
      break;
    }
  k->conn->command = NULL;
  watch_close(&k->in);
  watch_close(&k->out);
  watch_close(&k->err);
  watch_close(&k->status);
  buf_free(&k->input);
  free(k->scope);
  free(k);
}

/* What one read takes from a pipe. Returns false when nothing is there now. */
static bool forward(struct command *k, struct watch *w, char type) {
  char chunk[65536];
  if (w->fd < 0) return false;
  ssize_t n = read(w->fd, chunk, sizeof chunk);
  if (n > 0) conn_send(k->conn, type, chunk, (size_t)n);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) watch_close(w);
  return n > 0;
}

static void output_ready(struct watch *w, uint32_t events) {
  (void)events;
  struct command *k = w->owner;
  forward(k, w, w == &k->out ? 'O' : 'R');
  if (k->conn->out.len < CREDIT) return;
  /* The client is slow: let the pipes fill, so that the command waits and not our memory. */
  k->paused = true;
  if (k->out.fd >= 0) watch_set(&k->out, 0);
  if (k->err.fd >= 0) watch_set(&k->err, 0);
}

void command_drained(struct conn *c) {
  struct command *k = c->command;
  if (!k->paused) return;
  k->paused = false;
  if (k->out.fd >= 0) watch_set(&k->out, EPOLLIN);
  if (k->err.fd >= 0) watch_set(&k->err, EPOLLIN);
}

static void finish(struct command *k, int status) {
  /* Output from before the end is in the pipes; a daemon that holds them may go on writing, hence the bound. */
  for (int i = 0; i < 16 && forward(k, &k->out, 'O'); i++) continue;
  for (int i = 0; i < 16 && forward(k, &k->err, 'R'); i++) continue;
  struct buf out = {0};
  if (WIFEXITED(status)) {
    buf_textf(&out, "%d", WEXITSTATUS(status));
    buf_text(&out, "");
  } else {
    buf_text(&out, "");
    buf_textf(&out, "%d", WTERMSIG(status));
  }
  conn_send(k->conn, 'T', out.p, out.len);
  k->conn->ending = true;
  buf_free(&out);
  command_free(k);
}

static void status_ready(struct watch *w, uint32_t events) {
  (void)events;
  struct command *k = w->owner;
  int status = SIGKILL;
  if (read(w->fd, &status, sizeof status) != sizeof status) {
    status = SIGKILL;
    kill_tree(k->keeper);
  }
  finish(k, status);
}

static void push_input(struct command *k) {
  size_t done = 0;
  while (k->in.fd >= 0 && done < k->input.len) {
    ssize_t n = write(k->in.fd, k->input.p + done, k->input.len - done);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) watch_close(&k->in);
    else done += (size_t)n;
  }
  /* A command that closed its stdin wants no more: take the rest, so that the client does not wait for room. */
  if (k->in.fd < 0) done = k->input.len;
  if (done) {
    uint32_t credit = (uint32_t)done;
    buf_drop(&k->input, done);
    conn_send(k->conn, 'G', &credit, 4);
  }
  if (k->in.fd < 0) return;
  if (k->input.len) watch_set(&k->in, EPOLLOUT);
  else if (k->input_ended) watch_close(&k->in);
  else watch_set(&k->in, 0);
}

static void input_ready(struct watch *w, uint32_t events) {
  (void)events;
  push_input(w->owner);
}

void command_input(struct conn *c, const char *p, size_t n) {
  if (!c->command) return;
  buf_add(&c->command->input, p, n);
  push_input(c->command);
}

void command_input_end(struct conn *c) {
  if (!c->command) return;
  c->command->input_ended = true;
  push_input(c->command);
}

void command_kill(struct conn *c) {
  if (!c->command) return;
  kill_tree(c->command->keeper);
  finish(c->command, SIGKILL);
}

void command_gone(struct conn *c) {
  kill_tree(c->command->keeper);
  command_free(c->command);
}

/* Ends the commands of smaller numbers of the scope. False where one does not end. */
bool commands_supersede(const char *scope, long number) {
  bool gone = true;
  for (struct command *k = commands, *next; k; k = next) {
    next = k->next;
    if (strcmp(k->scope, scope) || k->number >= number) continue;
    gone &= kill_tree(k->keeper);
    conn_fail(k->conn, "superseded", "the command ran under fence %ld of %s; %ld took over", k->number, scope, number);
    command_free(k);
  }
  return gone;
}

static void run_command(char **argv, char **env, const char *cwd) {
  setsid();
  shed_capabilities();
  if (chdir(cwd)) {
    dprintf(2, "%s: %s\n", cwd, strerror(errno));
    _exit(126);
  }
  if (argv[0][0] == 1) _exit(run_builtin(argv));
  /* Looked for in the command's own PATH: this process has no environment. */
  environ = env;
  execvp(argv[0], argv);
  dprintf(2, "%s: %s\n", argv[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

/*
 * In a room the keeper is seen by what runs there: it steps in as a child of a process that has nothing of the agent
 * any more. The keeper's number and the status of the command go through one pipe, so the keeper begins when its number
 * was sent, which it sees as the end of the process that sent it.
 */
static void step_in(void) {
  int told[2];
  char none;
  if (pipe(told)) _exit(1);
  pid_t keeper = fork();
  if (!keeper) {
    close(told[1]);
    while (read(told[0], &none, 1) < 0 && errno == EINTR) continue;
    close(told[0]);
    return;
  }
  write_all(3, &keeper, sizeof keeper);
  _exit(0);
}

static void keep(char **argv, char **env, const char *cwd, int in, int out, int err, int status) {
  bool entered = room_enter();
  int high[] = {fcntl(in, F_DUPFD, 100), fcntl(out, F_DUPFD, 100), fcntl(err, F_DUPFD, 100), fcntl(status, F_DUPFD, 100)};
  for (int fd = 0; fd < 4; fd++) dup2(high[fd], fd);
  close_from(4);
  fcntl(3, F_SETFD, FD_CLOEXEC);
  if (!entered) _exit(1);
  if (has_rooms()) step_in();
  child_signals();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "remodel-keeper");
  pid_t pid = fork();
  if (!pid) {
    close(3);
    run_command(argv, env, cwd);
  }
  for (int fd = 0; fd < 3; fd++) close(fd);
  int code = 0;
  for (pid_t ended = 0; pid > 0 && ended != pid;)
    if ((ended = waitpid(-1, &code, 0)) < 0 && errno != EINTR) break;
  if (pid < 0) code = 126 << 8;
  write_all(3, &code, sizeof code);
  _exit(0);
}

/* argc argv.. or envc env.. of a request, as exec wants it. */
static char **vector(struct fields *f, struct buf *into, char *prefix, char *otherwise) {
  bool found = false;
  for (long n = field_number(f); n > 0 && !f->bad; n--) {
    char *s = field(f);
    if (prefix) found |= !strncmp(s, prefix, strlen(prefix));
    buf_add(into, &s, sizeof s);
  }
  char *end = NULL;
  if (prefix && !found) buf_add(into, &otherwise, sizeof otherwise);
  buf_add(into, &end, sizeof end);
  return (char **)into->p;
}

static void begin_command(struct conn *c, const char *scope, long number, pid_t keeper, int in, int out, int err, int status) {
  struct command *k = must(calloc(1, sizeof *k));
  *k = (struct command){.conn = c, .keeper = keeper, .scope = must(strdup(scope)), .number = number, .next = commands};
  commands = c->command = k;
  k->in = (struct watch){in, 0, input_ready, k};
  k->out = (struct watch){out, 0, output_ready, k};
  k->err = (struct watch){err, 0, output_ready, k};
  k->status = (struct watch){status, 0, status_ready, k};
  fcntl(in, F_SETFL, O_NONBLOCK);
  fcntl(out, F_SETFL, O_NONBLOCK);
  fcntl(err, F_SETFL, O_NONBLOCK);
  conn_send(c, 'A', "", 0);
  watch_set(&k->out, EPOLLIN);
  watch_set(&k->err, EPOLLIN);
  watch_set(&k->status, EPOLLIN);
}

void command_start(struct conn *c, const char *scope, long number, struct fields *f) {
  struct buf arguments = {0}, environment = {0};
  const char *cwd = field(f);
  char **argv = vector(f, &arguments, NULL, NULL), **env = vector(f, &environment, "PATH=", "PATH=" DEFAULT_PATH);
  int pipes[4][2], made = 0;
  pid_t keeper = -1;
  if (f->bad || !argv[0]) {
    conn_fail(c, "invalid-input", "a malformed command");
  } else {
    room_use();
    while (made < 4 && !pipe2(pipes[made], O_CLOEXEC)) made++;
    if (made == 4 && !(keeper = fork())) keep(argv, env, cwd, pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]);
    if (keeper > 0 && has_rooms()) {
      close(pipes[3][1]);
      pipes[3][1] = -1;
      if (read(pipes[3][0], &keeper, sizeof keeper) != sizeof keeper || keeper <= 0) keeper = -1;
    }
    if (keeper < 0) conn_fail(c, "infrastructure", "the VM cannot start a process: %s", strerror(errno));
  }
  if (keeper > 0) begin_command(c, scope, number, keeper, pipes[0][1], pipes[1][0], pipes[2][0], pipes[3][0]);
  for (int i = 0; i < made; i++) {
    if (pipes[i][i ? 1 : 0] >= 0) close(pipes[i][i ? 1 : 0]);
    if (keeper < 0) close(pipes[i][i ? 0 : 1]);
  }
  buf_free(&arguments);
  buf_free(&environment);
}
