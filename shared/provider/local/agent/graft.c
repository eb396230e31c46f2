#include "remodel.h"
#include <dirent.h>
#include <sys/mount.h>

/*
 * The host's root as the root of a VM in a user namespace. In a user namespace the kernel refuses an overlay over
 * a tree that has mounts below it (/proc, /sys: an overlay would show what they cover). So each directory without
 * mounts below it gets an overlay of its own; one with mounts becomes a plain directory whose children are done
 * in the same way. Left out: files that stand directly in such a directory, and what this user may not read (an
 * empty directory instead).
 */
static struct buf mounts;

static void read_mounts(void) {
  FILE *list = fopen("/proc/self/mountinfo", "re");
  char line[8192], point[4096];
  while (list && fgets(line, sizeof line, list))
    if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1) buf_text(&mounts, point);
  if (list) fclose(list);
}

static bool mounts_below(const char *path) {
  size_t n = strlen(path);
  for (const char *p = mounts.p; p < mounts.p + mounts.len; p += strlen(p) + 1)
    if (!strncmp(p, path, n) && p[n] == '/') return true;
  return false;
}

static bool option_safe(const char *path) { return !strpbrk(path, ",:\\"); }

static bool overlay(const char *path) {
  static int number;
  char upper[4200], target[4200], work[64], options[9000];
  snprintf(upper, sizeof upper, "upper%s", path);
  snprintf(target, sizeof target, "root%s", path);
  snprintf(work, sizeof work, "work/%d", number++);
  if (make_dirs(upper, 0755) || mkdir(work, 0755)) return false;
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr,volatile", path, upper, work);
  if (!mount("overlay", target, "overlay", 0, options)) return true;
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr", path, upper, work);
  return !mount("overlay", target, "overlay", 0, options);
}

/* The machine mounts its own there: boot.c. */
static bool own(const char *path) {
  static const char *const places[] = {"/proc", "/sys", "/dev", "/run", "/tmp", "/var/vcap", "/lost+found", NULL};
  for (int i = 0; places[i]; i++)
    if (!strcmp(places[i], path)) return true;
  return false;
}

static int graft_children(const struct boot *b, const char *path) {
  DIR *listing = opendir(*path ? path : "/");
  if (!listing) return 0;
  for (struct dirent *e; (e = readdir(listing));) {
    char child[4096], target[4200], link[4096];
    struct stat s;
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (snprintf(child, sizeof child, "%s/%s", path, e->d_name) >= (int)sizeof child || lstat(child, &s)) continue;
    snprintf(target, sizeof target, "root%s", child);
    if (S_ISLNK(s.st_mode)) {
      ssize_t n = readlink(child, link, sizeof link - 1);
      if (n > 0 && (link[n] = 0, symlink(link, target)) && errno != EEXIST) return closedir(listing), -1;
    } else if (S_ISDIR(s.st_mode)) {
      if (mkdir(target, 0755) && errno != EEXIST) return closedir(listing), -1;
      if (own(child) || is_hidden(b, child) || access(child, R_OK | X_OK) || !option_safe(child)) continue;
      if (!mounts_below(child) && overlay(child)) continue;
      if (mounts_below(child) && graft_children(b, child)) return closedir(listing), -1;
    }
  }
  closedir(listing);
  return 0;
}

/* Makes root/ of the working directory a mount with the host's directories in it. */
int graft_host_root(const struct boot *b) {
  read_mounts();
  if (mount("root", "root", NULL, MS_BIND, NULL)) return -1;
  /* The bind covers the directory we had: look the path up again from here on. */
  if (make_dirs("root/var/vcap", 0755)) return -1;
  int result = graft_children(b, "");
  /* /var may have become an overlay, which has its own vcap from the upper layer. */
  static const char *const points[] = {"root/proc", "root/sys", "root/dev", "root/run", "root/tmp", "root/etc", NULL};
  for (int i = 0; points[i]; i++)
    if (mkdir(points[i], 0755) && errno != EEXIST) return -1;
  buf_free(&mounts);
  return result;
}
