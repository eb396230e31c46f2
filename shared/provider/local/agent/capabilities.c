#include "remodel.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

/*
 * What root of a machine may do. Everything else is given up before a script, a command or a job begins, also from the
 * bounding set, so that no setuid program, file capability or exec brings it back. PID 1 keeps what it has: it mounts
 * the persistent disk. A process with fewer capabilities can neither trace PID 1 nor read its /proc.
 *
 * Kept is what jobs of BOSH need: owners and modes, other users (chpst, sudo, setpriv), ports below 1024, chroot, and
 * higher limits (`ulimit -n` in control scripts). Not kept, above all: SYS_ADMIN (mounts), MKNOD and DAC_READ_SEARCH
 * (the host's disk by device and by file handle), SYS_PTRACE, NET_ADMIN and NET_RAW (a machine may share the host's
 * network), LINUX_IMMUTABLE (files that cannot be deleted).
 */
static const int kept[] = {
    0 /* CHOWN */,   1 /* DAC_OVERRIDE */, 3 /* FOWNER */,            4 /* FSETID */,      5 /* KILL */,
    6 /* SETGID */,  7 /* SETUID */,       8 /* SETPCAP */,           10 /* NET_BIND_SERVICE */,
    18 /* SYS_CHROOT */, 24 /* SYS_RESOURCE */, 29 /* AUDIT_WRITE */, 31 /* SETFCAP */};

static void give_up(const char *what) {
  dprintf(2, "capabilities cannot be given up: %s: %s\n", what, strerror(errno));
  _exit(126);
}

void shed_capabilities(void) {
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  struct { uint32_t effective, permitted, inheritable; } sets[2];
  uint64_t keep = 0;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) keep |= 1ULL << kept[i];
  for (int cap = 0; cap < 64; cap++)
    if (!(keep >> cap & 1) && prctl(PR_CAPBSET_READ, cap) == 1 && prctl(PR_CAPBSET_DROP, cap)) give_up("bounding set");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capget, &header, sets)) give_up("capget");
  for (int half = 0; half < 2; half++) {
    sets[half].permitted &= (uint32_t)(keep >> (32 * half));
    sets[half].effective = sets[half].permitted;
    sets[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, sets)) give_up("capset");
}
