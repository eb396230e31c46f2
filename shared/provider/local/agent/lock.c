#include "remodel.h"
#include <dirent.h>
#include <sys/file.h>

static void too_long(int signal) { (void)signal; }

/* A flock on a file of fences/, which the kernel gives back however we end. */
int lock_file(const char *kind, const char *id, int how) {
  char path[300];
  snprintf(path, sizeof path, "fences/%s-%s", kind, id);
  struct sigaction action = {.sa_handler = too_long};
  sigaction(SIGALRM, &action, NULL);
  alarm(20);
  for (;;) {
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) refuse("infrastructure", "cannot open the lock %s: %s", path, strerror(errno));
    if (flock(fd, how)) {
      if (errno == EINTR) refuse("infrastructure", "%s %s has been busy for 20 s", kind, id);
      refuse("infrastructure", "cannot lock %s: %s", path, strerror(errno));
    }
    /* The file may have been replaced or pruned while we waited; then we hold the lock of nothing. */
    struct stat held, named;
    if (!fstat(fd, &held) && !stat(path, &named) && held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      alarm(0);
      return fd;
    }
    close(fd);
  }
}

/*
 * Takes the lock of one VM or disk: a flock on its fence file. Only helpers take it, and they do not wait for their
 * clients while they hold it.
 */
int lock(const char *kind, const char *id) { return lock_file(kind, id, LOCK_EX); }

/*
 * One line of effects.jsonl, just before the commit point of the change: a crash in between repeats the line with the
 * repeated change and never loses one.
 */
void effect(const char *name, const char *id, const char *other_key, const char *other, const char *scope, long number,
            long pid) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  struct buf line = {0};
  char numbers[120];
  snprintf(numbers, sizeof numbers, "{\"time\":%ld,\"pid\":%ld,\"effect\":", t.tv_sec * 1000 + t.tv_nsec / 1000000, pid);
  buf_add(&line, numbers, strlen(numbers));
  buf_json(&line, name);
  buf_add(&line, ",\"id\":", 6);
  buf_json(&line, id);
  if (other_key) {
    buf_add(&line, ",", 1);
    buf_json(&line, other_key);
    buf_add(&line, ":", 1);
    buf_json(&line, other);
  }
  if (*scope) {
    buf_add(&line, ",\"scope\":", 9);
    buf_json(&line, scope);
    snprintf(numbers, sizeof numbers, ",\"fence\":%ld", number);
  } else {
    snprintf(numbers, sizeof numbers, ",\"scope\":null,\"fence\":null");
  }
  buf_add(&line, numbers, strlen(numbers));
  buf_add(&line, "}\n", 2);
  int fd = open("effects.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, line.p, line.len) != (ssize_t)line.len)
    refuse("infrastructure", "cannot write effects.jsonl: %s", strerror(errno));
  close(fd);
  buf_free(&line);
}

/*
 * Forgets the fences of VMs and disks that have been gone for a week, and what crashes left in tmp/ a day ago. A fence
 * file goes only while we hold its lock, so no helper can be between looking at it and changing something.
 */
void verb_prune(struct fields *f) {
  (void)f;
  static const struct { const char *folder; long seconds; } places[] = {{"fences", 7 * 86400}, {"tmp", 86400}};
  for (int i = 0; i < 2; i++) {
    DIR *listing = opendir(places[i].folder);
    for (struct dirent *e; listing && (e = readdir(listing));) {
      char path[300], subject[300];
      struct stat s;
      if (e->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%.255s", places[i].folder, e->d_name);
      if (stat(path, &s) || time(NULL) - s.st_mtime < places[i].seconds) continue;
      if (i == 1) {
        remove_tree(AT_FDCWD, path);
        continue;
      }
      const char *dash = strchr(e->d_name, '-');
      snprintf(subject, sizeof subject, "%s/%.255s", !strncmp(e->d_name, "vm-", 3) ? "vms" : "disks", dash ? dash + 1 : "");
      int fd = open(path, O_RDWR | O_CLOEXEC);
      if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && stat(subject, &s) && errno == ENOENT) unlink(path);
      if (fd >= 0) close(fd);
    }
    if (listing) closedir(listing);
  }
  answer("ok", NULL);
}
