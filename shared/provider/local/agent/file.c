#include "remodel.h"
#include <libgen.h>

/* Runs below a keeper like any command, so a slow disk holds up this file and not the agent. */
static int fault(const char *path) {
  dprintf(2, "%s: %s\n", path, strerror(errno));
  return 1;
}

static int copy(int from, int to) {
  char chunk[65536];
  ssize_t n;
  while ((n = read(from, chunk, sizeof chunk)) > 0)
    if (write_all(to, chunk, (size_t)n)) return -1;
  return n < 0 ? -1 : 0;
}

/* A reader sees the old file or the new one: stdin goes beside it and takes its name at the end. */
static int put_file(const char *path, const char *mode) {
  char parent[4096], temporary[4200];
  if (snprintf(parent, sizeof parent, "%s", path) >= (int)sizeof parent) return errno = ENAMETOOLONG, fault(path);
  dirname(parent);
  if (make_dirs(parent, 0755)) return fault(parent);
  snprintf(temporary, sizeof temporary, "%s/.remodel-XXXXXX", parent);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return fault(path);
  if (copy(0, fd) || fchmod(fd, (mode_t)strtol(mode, NULL, 8)) || close(fd) || rename(temporary, path)) {
    int cause = errno;
    unlink(temporary);
    errno = cause;
    return fault(path);
  }
  return 0;
}

static int get_file(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? fault(path) + 1 : fault(path);
  return copy(fd, 1) ? fault(path) : 0;
}

/* Exit 0 done, 1 failed, 2 no such file to read; relay.c says what a relay exits with. */
int run_builtin(char **argv) {
  signal(SIGPIPE, SIG_DFL);
  if (!strcmp(argv[0], "\1put") && argv[1] && argv[2]) return put_file(argv[1], argv[2]);
  if (!strcmp(argv[0], "\1get") && argv[1]) return get_file(argv[1]);
  if (!strcmp(argv[0], "\1relay") && argv[1]) return relay(argv[1]);
  dprintf(2, "no such built-in\n");
  return 1;
}
