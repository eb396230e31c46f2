#include "remodel.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_agent(const char *vm) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  /* Relative to the provider's directory: the absolute path may be longer than an address can be. */
  if (snprintf(address.sun_path, sizeof address.sun_path, "vms/%s/agent.sock", vm) >= (int)sizeof address.sun_path)
    return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
  int cause = errno;
  close(fd);
  errno = cause;
  return -1;
}

/* True where a process holds the socket open, even one that is frozen: the kernel closes it with the agent. */
bool agent_listens(const char *vm) {
  int fd = connect_agent(vm);
  if (fd >= 0) close(fd);
  return fd >= 0 || errno == EAGAIN;
}

static bool read_exactly(int fd, void *into, size_t n, long deadline) {
  for (char *at = into; n;) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    long left = deadline - now_ms();
    if (left <= 0 || poll(&p, 1, (int)left) <= 0) return false;
    ssize_t got = read(fd, at, n);
    if (got <= 0) return false;
    at += got;
    n -= (size_t)got;
  }
  return true;
}

/* One short request. SAID_NOTHING: no answer came in time. */
enum said ask_agent(const char *vm, char type, const struct buf *request, int timeout_ms, char *code, char *message,
                    size_t size) {
  int fd = connect_agent(vm);
  if (fd < 0) return SAID_NOTHING;
  long deadline = now_ms() + timeout_ms;
  unsigned char head[5];
  uint32_t length = (uint32_t)request->len;
  memcpy(head, &length, 4);
  head[4] = (unsigned char)type;
  enum said said = SAID_NOTHING;
  char payload[2048] = "";
  if (!write_all(fd, head, 5) && !write_all(fd, request->p, request->len) && read_exactly(fd, head, 5, deadline)) {
    memcpy(&length, head, 4);
    if (length < sizeof payload && read_exactly(fd, payload, length, deadline)) {
      struct fields f = {payload, payload + length, false};
      snprintf(code, size, "%s", length ? field(&f) : "");
      snprintf(message, size, "%s", length ? field(&f) : "");
      if (head[4] == 'A') said = SAID_OK;
      if (head[4] == 'X') said = SAID_NO;
    }
  }
  close(fd);
  return said;
}
