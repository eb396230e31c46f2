#include "remodel.h"
#include <sys/file.h>

/*
 * A fence file is append-only: `<number> <scope>` a line, one write each, so that a kill leaves whole lines or nothing.
 * A line without its end was never confirmed to anyone and does not count. The writer holds the lock, or is the agent.
 */
static char *content(int fd, size_t *length) {
  struct stat s;
  if (fstat(fd, &s)) return NULL;
  char *text = must(malloc((size_t)s.st_size + 1));
  ssize_t n = pread(fd, text, (size_t)s.st_size, 0);
  if (n < 0) return free(text), NULL;
  while (n && text[n - 1] != '\n') n--;
  text[n] = 0;
  *length = (size_t)n;
  return text;
}

static long largest_in(const char *text, const char *scope, size_t length) {
  long largest = -1;
  for (const char *line = text; *line;) {
    const char *end = strchr(line, '\n'), *space = strchr(line, ' ');
    if (space && space < end && (size_t)(end - space - 1) == length && !memcmp(space + 1, scope, length)) {
      long n = atol(line);
      if (n > largest) largest = n;
    }
    line = end + 1;
  }
  return largest;
}

/* The largest number seen for the scope; -1 where none was. */
long fence_largest(int fd, const char *scope) {
  size_t length;
  char *text = content(fd, &length);
  if (!text) return -1;
  long largest = largest_in(text, scope, strlen(scope));
  free(text);
  return largest;
}

int fence_append(int fd, const char *scope, long number) {
  char line[1200];
  size_t length;
  char *text = content(fd, &length);
  if (!text) return -1;
  free(text);
  /* A torn line of a process that was killed would swallow this one. */
  if (ftruncate(fd, (off_t)length)) return -1;
  int n = snprintf(line, sizeof line, "%ld %s\n", number, scope);
  if (n >= (int)sizeof line) return errno = ENAMETOOLONG, -1;
  return write(fd, line, (size_t)n) == n ? 0 : -1;
}

/* Copies what `from` knows and `to` does not. */
int fence_merge(int from, int to) {
  size_t length;
  char *text = content(from, &length);
  if (!text) return -1;
  int wrong = 0;
  for (char *line = text; *line;) {
    char *end = strchr(line, '\n'), *space = strchr(line, ' ');
    *end = 0;
    if (space && atol(line) > fence_largest(to, space + 1)) wrong |= fence_append(to, space + 1, atol(line));
    line = end + 1;
  }
  free(text);
  return wrong;
}

/*
 * Keeps one line a scope once the file has grown; `*fd` becomes the new file. The lock of a helper goes along: the new
 * file is locked before it takes the name (lock.c looks again at the name after it waited).
 */
void fence_compact(int dir, const char *name, int *fd) {
  struct stat s;
  if (fstat(*fd, &s) || s.st_size < 16384) return;
  char temporary[300];
  snprintf(temporary, sizeof temporary, "%s.new", name);
  unlinkat(dir, temporary, 0);
  int fresh = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (fresh < 0) return;
  struct buf lines = {0};
  size_t length;
  char *text = content(*fd, &length);
  for (char *line = text; text && *line;) {
    char *end = strchr(line, '\n'), *space = strchr(line, ' ');
    *end = 0;
    if (space && space < end && largest_in(end + 1, space + 1, strlen(space + 1)) < atol(line)) {
      *end = '\n';
      buf_add(&lines, line, (size_t)(end + 1 - line));
    }
    line = end + 1;
  }
  if (text && !write_all(fresh, lines.p, lines.len) && !flock(fresh, LOCK_EX | LOCK_NB) && !renameat(dir, temporary, dir, name)) {
    close(*fd);
    *fd = fresh;
  } else {
    unlinkat(dir, temporary, 0);
    close(fresh);
  }
  free(text);
  buf_free(&lines);
}
