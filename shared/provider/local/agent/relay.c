#include "remodel.h"
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static int copy_stream(int from, int to) {
  char chunk[65536];
  ssize_t n;
  while ((n = read(from, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
    if (n > 0 && write_all(to, chunk, (size_t)n)) return -1;
  return n < 0 ? -1 : 0;
}

/*
 * stdin and stdout become the two directions of a stream to a unix socket of this machine; a NUL on stdout says that it
 * is connected. Each direction is a process of its own, so that a peer that does not read never holds up what it says.
 * It ends when the peer closes. Exit 2: there is no such socket; 3: it cannot be reached. Never 1: so answers an agent
 * that is older than this built-in.
 */
int relay(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errno = ENAMETOOLONG;
  else {
    strcpy(address.sun_path, path);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer >= 0 && !connect(peer, (struct sockaddr *)&address, sizeof address)) {
      pid_t parent = getpid(), sender = fork();
      if (!sender) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        close(1);
        copy_stream(0, peer);
        shutdown(peer, SHUT_WR);
        _exit(0);
      }
      if (sender > 0) {
        close(0);
        int failed = write_all(1, "", 1) || copy_stream(peer, 1);
        kill(sender, SIGKILL);
        waitpid(sender, NULL, 0);
        return failed ? 3 : 0;
      }
    }
  }
  int code = errno == ENOENT ? 2 : 3;
  dprintf(2, "%s: %s\n", path, strerror(errno));
  return code;
}
