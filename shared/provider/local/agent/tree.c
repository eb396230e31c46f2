#include "remodel.h"
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

int write_all(int fd, const void *p, size_t n) {
  for (const char *at = p; n;) {
    ssize_t wrote = write(fd, at, n);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return -1;
    at += wrote;
    n -= (size_t)wrote;
  }
  return 0;
}

/* Reads a file of one line; the line end is cut off. Returns -1 where there is none. */
int read_small(int dir, const char *path, char *into, size_t size) {
  int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
  into[0] = 0;
  if (fd < 0) return -1;
  ssize_t n = read(fd, into, size - 1);
  close(fd);
  if (n < 0) return -1;
  into[n] = 0;
  into[strcspn(into, "\n")] = 0;
  return 0;
}

int write_small(int dir, const char *path, const char *text, int mode) {
  unlinkat(dir, path, 0);
  int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return -1;
  int wrong = write_all(fd, text, strlen(text));
  return close(fd) || wrong ? -1 : 0;
}

/* All of the content or none of it, whenever we are killed. */
int replace_file(const char *path, const void *p, size_t n) {
  char temporary[] = "tmp/XXXXXX";
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return -1;
  int wrong = write_all(fd, p, n) || fchmod(fd, 0644);
  if (close(fd) || wrong || rename(temporary, path)) {
    int cause = errno;
    unlink(temporary);
    errno = cause;
    return -1;
  }
  return 0;
}

int make_dirs(const char *path, int mode) {
  char copy[4096];
  if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) return errno = ENAMETOOLONG, -1;
  for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(copy, 0755) && errno != EEXIST) return -1;
    *slash = '/';
  }
  return mkdir(copy, mode) && errno != EEXIST ? -1 : 0;
}

/* Why and at which name the last removal ended. */
static char fault[400];
const char *not_removed(void) { return fault; }

static int failed(const char *name) {
  int cause = errno;
  snprintf(fault, sizeof fault, "%.255s: %s", name, strerror(cause));
  errno = cause;
  return -1;
}

/* Takes off what keeps even root from removing it (chattr +i, +a). True where there was such a flag. */
static bool unfreeze(int fd) {
  int flags;
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))) return false;
  flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
  return !ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static bool unfreeze_at(int dir, const char *name) {
  int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  bool changed = unfreeze(fd);
  if (fd >= 0) close(fd);
  return changed;
}

/* unlinkat, whatever flags stand on the entry or on its directory. */
static int take(int dir, const char *name, int how) {
  if (!unlinkat(dir, name, how) || errno == ENOENT) return 0;
  if (errno != EPERM) return -1;
  bool changed = unfreeze_at(dir, name);
  changed |= dir != AT_FDCWD && unfreeze(dir);
  if (!changed) return errno = EPERM, -1;
  return !unlinkat(dir, name, how) || errno == ENOENT ? 0 : -1;
}

static int open_directory(int dir, const char *name) {
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  /* The kernel leaves overlay work directories without any permission bit. */
  if (fd < 0 && errno == EACCES && !fchmodat(dir, name, 0700, 0))
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return fd;
}

/*
 * A tree may be deeper than we may have files open, or than our stack: what lies this deep is moved up to the top
 * (`lifted`), which is looked through again.
 */
#define DEEPEST 64
struct removal { int top; long lifted; };

static int lift(struct removal *r, int dir, const char *name) {
  char place[64];
  snprintf(place, sizeof place, ".lifted-%ld", ++r->lifted);
  if (!renameat(dir, name, r->top, place)) return 0;
  if (errno != EPERM && errno != EACCES) return -1;
  unfreeze_at(dir, name);
  unfreeze(dir);
  fchmodat(dir, name, 0700, 0);
  return renameat(dir, name, r->top, place);
}

static int remove_entry(struct removal *r, int dir, const char *name, int depth);

/* Empties a directory and closes it. */
static int empty(struct removal *r, int fd, int depth) {
  fchmod(fd, 0700);
  unfreeze(fd);
  DIR *listing = fdopendir(fd);
  if (!listing) return close(fd), -1;
  int wrong = 0;
  for (struct dirent *e; (e = readdir(listing));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) wrong |= remove_entry(r, fd, e->d_name, depth);
  closedir(listing);
  return wrong;
}

static int remove_entry(struct removal *r, int dir, const char *name, int depth) {
  if (!take(dir, name, 0)) return 0;
  if (errno != EISDIR && errno != EPERM) return failed(name);
  int fd = open_directory(dir, name);
  if (fd < 0) return errno == ENOENT ? 0 : failed(name);
  if (depth == DEEPEST && !take(dir, name, AT_REMOVEDIR)) return close(fd), 0;
  if (depth == DEEPEST) return close(fd), lift(r, dir, name) ? failed(name) : 0;
  int wrong = empty(r, fd, depth + 1);
  if (!take(dir, name, AT_REMOVEDIR)) return 0;
  return wrong ? wrong : failed(name);
}

/* Removes `name`, of whatever type. Nothing there is success. Never leaves the tree by a link. */
int remove_tree(int dir, const char *name) {
  if (!take(dir, name, 0)) return 0;
  if (errno != EISDIR && errno != EPERM) return failed(name);
  for (long lifted = -1;;) {
    struct removal r = {open_directory(dir, name), lifted < 0 ? 0 : lifted};
    if (r.top < 0) return errno == ENOENT ? 0 : failed(name);
    long before = r.lifted;
    int wrong = empty(&r, dup(r.top), 0);
    close(r.top);
    if (!take(dir, name, AT_REMOVEDIR)) return 0;
    if (wrong) return wrong;
    if (r.lifted == before) return failed(name);
    lifted = r.lifted;
  }
}
