#include "remodel.h"
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/*
 * Directories of the host that a machine on the host's own root (a light stemcell) must not see: Remodel's
 * home, the homes of its operators. Each is an opaque directory of the upper layer: what lies below it is no
 * part of the machine's tree, so there is no cover that an unmount would take away. In the machine it is an
 * empty directory of its own.
 */
static int make_opaque(const struct boot *b, const char *path) {
  const char *name = b->restricted ? "user.overlay.opaque" : "trusted.overlay.opaque";
  return setxattr(path, name, "y", 1, 0);
}

/* The directories above it look as on the host: a merged directory has mode and owner of the upper one. */
static int make_above(const struct boot *b, const char *path) {
  char upper[4200], host[4096];
  struct stat s;
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(host, sizeof host, "%.*s", (int)(slash - path), path);
    snprintf(upper, sizeof upper, "upper%s", host);
    if (lstat(host, &s) || !S_ISDIR(s.st_mode)) return errno = ENOTDIR, -1;
    if (mkdir(upper, s.st_mode & 07777)) {
      if (errno != EEXIST) return -1;
      continue;
    }
    if (!b->restricted && chown(upper, s.st_uid, s.st_gid)) return -1;
    if (chmod(upper, s.st_mode & 07777)) return -1;
  }
  return 0;
}

static int hide(const struct boot *b, const char *path) {
  char upper[4200];
  struct stat s;
  if (lstat(path, &s) || !S_ISDIR(s.st_mode)) return 0;
  if (make_above(b, path)) return -1;
  snprintf(upper, sizeof upper, "upper%s", path);
  if (mkdir(upper, 0700) && errno != EEXIST) return -1;
  if (chmod(upper, 0700)) return -1;
  if (!make_opaque(b, upper)) return 0;
  /* Where the file system has no such attribute: a whiteout, so the directory is not there at all. */
  return rmdir(upper) || mknod(upper, S_IFCHR, makedev(0, 0)) ? -1 : 0;
}

int hide_directories(const struct boot *b) {
  char path[4096];
  /* What the machine mounts its own over: nothing of the host below these either. */
  static const char *const own[] = {"upper/tmp", "upper/run", "upper/dev", "upper/proc", "upper/sys", "upper/var/vcap", NULL};
  for (int i = 0; own[i]; i++) make_opaque(b, own[i]);
  if (strcmp(b->lower, "/")) return 0;
  for (const char *list = b->hidden; *list; list += strcspn(list, "\n") + 1) {
    snprintf(path, sizeof path, "%.*s", (int)strcspn(list, "\n"), list);
    if (hide(b, path)) return -1;
  }
  return 0;
}

bool is_hidden(const struct boot *b, const char *path) {
  size_t n = strlen(path);
  for (const char *list = b->hidden; *list; list += strcspn(list, "\n") + 1)
    if (strcspn(list, "\n") == n && !strncmp(list, path, n)) return true;
  return false;
}
