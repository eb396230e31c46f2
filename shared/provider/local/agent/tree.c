#include "remodel.h"
#include <dirent.h>

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

/* Removes what stands at `name`, whatever it is. Nothing there is success. Never leaves the tree by a link. */
int remove_tree(int dir, const char *name) {
  if (!unlinkat(dir, name, 0) || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return -1;
  /* The kernel leaves overlay work directories without any permission bit. */
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES && !fchmodat(dir, name, 0700, 0))
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? 0 : -1;
  fchmod(fd, 0700);
  DIR *listing = fdopendir(fd);
  if (!listing) return close(fd), -1;
  int wrong = 0;
  for (struct dirent *e; (e = readdir(listing));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) wrong |= remove_tree(fd, e->d_name);
  closedir(listing);
  if (!unlinkat(dir, name, AT_REMOVEDIR) || errno == ENOENT) return 0;
  return wrong ? wrong : -1;
}
