#include "remodel.h"

/*
 * A pidfile outlives its process, on a persistent disk even its machine, and the number in it is given to another
 * process one day. So one is believed only when it was written since: what it said when the process was first
 * supervised, or when nothing that it named was left, is remembered with the time of writing, and names nothing for as
 * long as it is the same.
 */
static bool alive(pid_t pid) {
  char state = 0;
  return pid > 1 && start_time(pid, &state) && state != 'Z' && state != 'X';
}

static bool read_mark(const char *path, struct mark *into) {
  char text[64];
  struct stat s;
  if (stat(path, &s) || read_small(AT_FDCWD, path, text, sizeof text)) return false;
  *into = (struct mark){s.st_dev, s.st_ino, s.st_mtim, (pid_t)atol(text)};
  return true;
}

static bool is_past(const struct mark *past, const struct mark *now) {
  return now->dev == past->dev && now->ino == past->ino && now->pid == past->pid &&
         now->written.tv_sec == past->written.tv_sec && now->written.tv_nsec == past->written.tv_nsec;
}

struct mark mark_of_pidfile(const char *path) {
  struct mark now = {0};
  read_mark(path, &now);
  return now;
}

pid_t named_by_pidfile(const char *path, const struct mark *past) {
  struct mark now;
  return read_mark(path, &now) && !is_past(past, &now) && alive(now.pid) ? now.pid : 0;
}

/* Nothing of its process is left: what the pidfile says is over, unless it was written anew just now. */
void remember_past(const char *path, struct mark *past) {
  struct mark now;
  if (read_mark(path, &now) && !alive(now.pid)) *past = now;
}

/*
 * Many start scripts take a pidfile of a live process for their own, and start nothing; the number may be
 * one of their own by then.
 */
void remove_stale_pidfile(const char *path, const struct mark *past) {
  struct mark now;
  if (read_mark(path, &now) && is_past(past, &now)) unlink(path);
}
