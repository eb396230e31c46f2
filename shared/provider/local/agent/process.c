#include "remodel.h"
#include <dirent.h>
#include <poll.h>
#include <sys/syscall.h>

/* Clock ticks from boot to the start of a process: with its number, its identity. 0 where there is none. */
unsigned long long start_time(pid_t pid, char *state) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (read_small(AT_FDCWD, path, text, sizeof text)) return 0;
  char *after = strrchr(text, ')');
  if (!after) return 0;
  unsigned long long start = 0;
  char letter = 0;
  sscanf(after + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &letter, &start);
  if (state) *state = letter;
  return start;
}

/* Where a process number means something: this boot, this pid namespace. */
void boot_identity(char *into, size_t size) {
  char namespace[64] = "?", boot[64] = "?";
  ssize_t n = readlink("/proc/self/ns/pid", namespace, sizeof namespace - 1);
  if (n > 0) namespace[n] = 0;
  read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof boot);
  snprintf(into, size, "%s %s", namespace, boot);
}

int pidfd_of(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/* True once the process has ended; of a PID 1, once everything in its namespace has. */
bool wait_gone(int pidfd, int timeout_ms) {
  struct pollfd p = {.fd = pidfd, .events = POLLIN};
  int n;
  while ((n = poll(&p, 1, timeout_ms)) < 0 && errno == EINTR) continue;
  return n > 0;
}

struct seen { pid_t pid, parent; bool below, zombie; };

static size_t all_processes(struct seen **list) {
  size_t n = 0, cap = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *e; proc && (e = readdir(proc));) {
    char path[64], text[512], state = 0;
    int parent = 0;
    if (e->d_name[0] < '0' || e->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%.20s/stat", e->d_name);
    if (read_small(AT_FDCWD, path, text, sizeof text)) continue;
    char *after = strrchr(text, ')');
    if (!after || sscanf(after + 2, "%c %d", &state, &parent) != 2) continue;
    if (n == cap) *list = must(realloc(*list, (cap = cap ? cap * 2 : 64) * sizeof **list));
    (*list)[n++] = (struct seen){atoi(e->d_name), parent, false, state == 'Z' || state == 'X'};
  }
  if (proc) closedir(proc);
  return n;
}

/*
 * Kills a process and everything below it. The root is stopped first: it is a subreaper, so whatever loses its parent
 * meanwhile becomes its child and is found in the next round; nothing gets away by forking or by a new session.
 */
bool kill_tree(pid_t root) {
  kill(root, SIGSTOP);
  struct seen *list = NULL;
  bool alive = true;
  for (int round = 0; alive && round < 2000; round++) {
    size_t n = all_processes(&list);
    alive = false;
    for (bool grew = true; grew;) {
      grew = false;
      for (size_t i = 0; i < n; i++) {
        bool below = list[i].parent == root;
        for (size_t j = 0; !below && j < n; j++) below = list[j].below && list[j].pid == list[i].parent;
        if (below && !list[i].below) grew = list[i].below = true;
      }
    }
    for (size_t i = 0; i < n; i++)
      if (list[i].below && !list[i].zombie) {
        kill(list[i].pid, SIGKILL);
        alive = true;
      }
    if (alive) usleep(300);
  }
  free(list);
  kill(root, SIGKILL);
  return !alive;
}

void close_from(int first) {
  if (!syscall(SYS_close_range, first, ~0U, 0)) return;
  for (int fd = first; fd < 4096; fd++) close(fd);
}
