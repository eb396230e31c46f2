#include "remodel.h"

/* Where cgroup v2 is mounted with the memory and cpu controllers, and we may write; else limits are left out. */
static bool usable_root(char *root, size_t size) {
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  char line[4096];
  bool found = false;
  while (mounts && !found && fgets(line, sizeof line, mounts)) {
    char *type = strstr(line, " - cgroup2 "), point[2048], path[2100], controllers[512];
    if (!type || sscanf(line, "%*d %*d %*s %*s %2047s", point) != 1) continue;
    snprintf(path, sizeof path, "%s/cgroup.controllers", point);
    if (read_small(AT_FDCWD, path, controllers, sizeof controllers)) continue;
    found = strstr(controllers, "memory") && strstr(controllers, "cpu") && !access(point, W_OK);
    snprintf(root, size, "%s", point);
  }
  if (mounts) fclose(mounts);
  return found;
}

static bool put(const char *directory, const char *file, const char *text) {
  char path[2400];
  snprintf(path, sizeof path, "%s/%s", directory, file);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  return done;
}

/* `cpus` and `memory` are decimal numbers or "". False where the machine cannot hold the VM to them. */
bool cgroup_make(const char *id, pid_t pid, const char *cpus, const char *memory, char *path, size_t size) {
  char root[2048], text[64];
  snprintf(path, size, "-");
  if (!*cpus && !*memory) return true;
  if (!usable_root(root, sizeof root) || strchr(root, ' ')) return false;
  put(root, "cgroup.subtree_control", "+memory +cpu");
  snprintf(path, size, "%s/remodel-%s-%d", root, id, pid);
  bool done = !mkdir(path, 0755);
  if (done && *memory) {
    snprintf(text, sizeof text, "%lld", atoll(memory) * 1024 * 1024);
    done = put(path, "memory.max", text);
  }
  if (done && *cpus) {
    snprintf(text, sizeof text, "%ld 100000", (long)(atof(cpus) * 100000));
    done = put(path, "cpu.max", text);
  }
  snprintf(text, sizeof text, "%d", pid);
  if (done && put(path, "cgroup.procs", text)) return true;
  rmdir(path);
  snprintf(path, size, "-");
  return false;
}

void cgroup_remove(const char *path) {
  /* The last process may still be on its way out of the accounting. */
  for (int i = 0; path[0] == '/' && rmdir(path) && errno == EBUSY && i < 200; i++) usleep(5000);
}
