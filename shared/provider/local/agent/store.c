#include "remodel.h"
#include <sys/mount.h>

/* The persistent disk of this machine: bound from the covered disks directory (boot.c) into the running namespace. */
#define STORE "/var/vcap/store"
static char *mounted;

/* Answers `A` with "1" where it was mounted only now. */
void store_mount(struct conn *c, const char *disk) {
  char source[400];
  struct stat s;
  if (mounted && strcmp(mounted, disk)) {
    conn_fail(c, "conflict", "disk %s is mounted already", mounted);
    return;
  }
  bool fresh = !mounted;
  snprintf(source, sizeof source, "%s/data", disk);
  if (fresh && (!*disk || strchr(disk, '/') || fstatat(held.disks, source, &s, AT_SYMLINK_NOFOLLOW))) {
    conn_fail(c, "not-found", "there is no disk %s", disk);
    return;
  }
  snprintf(source, sizeof source, "/proc/self/fd/%d/%s/data", held.disks, disk);
  if (fresh && (make_dirs(STORE, 0755) || mount(source, STORE, NULL, MS_BIND, NULL))) {
    conn_fail(c, "infrastructure", "mounting: %s", strerror(errno));
    return;
  }
  if (fresh) mounted = must(strdup(disk));
  conn_send(c, 'A', fresh ? "1" : "", fresh ? 2 : 0);
  c->ending = true;
}

/* Never lazily: a process that still writes would write to a disk that another VM has mounted meanwhile. */
void store_unmount(struct conn *c, const char *disk) {
  if (mounted && !strcmp(mounted, disk)) {
    if (umount2(STORE, 0)) {
      conn_fail(c, "infrastructure", "unmounting: %s%s", strerror(errno),
                errno == EBUSY ? " (a process of the VM still uses " STORE ")" : "");
      return;
    }
    free(mounted);
    mounted = NULL;
  }
  conn_done(c);
}
