#include "remodel.h"
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>

/*
 * From a fresh clone to PID 1 of a machine, or of a room of one (room.c). Runs with its working directory beside
 * its layers; every step that fails is reported by name to the process that made the clone. Until the helper has
 * written the commit marker this process dies with it (PDEATHSIG), so a killed worker leaves files, but no
 * half-made machine that runs.
 */
static int report;

static void wrong(const char *step) {
  char text[400];
  int n = snprintf(text, sizeof text, "%s: %s%s", step, strerror(errno),
                   errno == EPERM ? " (in a container: see docker-compose.yml)" : "");
  write_all(report, text, (size_t)n);
  _exit(1);
}

static void step(int result, const char *name) {
  if (result < 0) wrong(name);
}

static bool is_directory(const char *path) {
  struct stat s;
  return !lstat(path, &s) && S_ISDIR(s.st_mode);
}

/*
 * Makes the upper layer. In a user namespace the lower directories belong to users that we may not write as; a
 * directory of our own in the upper layer, merged with the one below it, makes the usual places writable.
 */
bool prepare_layers(const struct boot *b) {
  static const char *const points[] = {"proc", "sys", "dev", "run", "tmp", "etc", "var", "var/vcap", NULL};
  static const char *const writable[] = {"usr", "usr/bin", "usr/sbin", "usr/lib", "usr/share", "usr/local", "usr/local/bin",
                                         "usr/local/lib", "usr/local/etc", "opt", "srv", "home", "root", "mnt", "var/lib",
                                         "var/log", "var/cache", "var/spool", "etc/cron.d", "etc/profile.d", NULL};
  static const char *const vcap[] = {"jobs", "packages", "data", "store", "sys", "sys/log", "sys/run", "monit", "bosh",
                                     "instance", NULL};
  static const char *const layers[] = {"upper", "work", "root", "vcap", "tmp", NULL};
  char path[4096], below[4200];
  struct stat s;
  umask(0);
  for (int i = 0; layers[i]; i++)
    if (mkdir(layers[i], 0755) && errno != EEXIST) return false;
  if (chmod("tmp", 01777)) return false;
  for (int i = 0; vcap[i]; i++) {
    snprintf(path, sizeof path, "vcap/%s", vcap[i]);
    if (mkdir(path, 0755) && errno != EEXIST) return false;
  }
  for (int list = 0; list < (b->restricted ? 2 : 1); list++)
    for (const char *const *name = list ? writable : points; *name; name++) {
      snprintf(path, sizeof path, "upper/%s", *name);
      snprintf(below, sizeof below, "%s%s%s", *b->lower == '/' ? "" : b->up, *b->lower == '/' ? "/" : b->lower,
               *b->lower == '/' ? "" : "/");
      strncat(below, *name, sizeof below - strlen(below) - 1);
      bool there = !lstat(below, &s);
      /* A link (/bin -> usr/bin) must stay one, and what we may not read we cannot merge. */
      if (list && (!there || !S_ISDIR(s.st_mode) || access(below, R_OK | X_OK))) continue;
      if (there && !S_ISDIR(s.st_mode)) continue;
      if (mkdir(path, there ? s.st_mode & 07777 : 0755) && errno != EEXIST) return false;
    }
  bool hidden = !hide_directories(b);
  umask(022);
  return hidden;
}

static void mount_root(const struct boot *b) {
  char options[4400];
  if (b->restricted && *b->lower == '/') {
    step(graft_host_root(b), "grafting the host's root");
    return;
  }
  for (int volatile_too = 1; volatile_too >= 0; volatile_too--) {
    /*
     * volatile: a machine never outlives the host's boot, so its root need not be synced; the disks are not part of it.
     */
    snprintf(options, sizeof options, "lowerdir=%s%s,upperdir=upper,workdir=work%s%s", *b->lower == '/' ? "" : b->up,
             b->lower, b->restricted ? ",userxattr" : "", volatile_too ? ",volatile" : "");
    if (!mount("overlay", "root", "overlay", MS_NODEV, options)) return;
  }
  wrong(errno == ENODEV  ? "mounting an overlay: this kernel has no overlayfs"
        : errno == EINVAL ? "mounting an overlay: the provider's directory must be on a file system that can be an upper "
                            "layer (ext4, xfs, btrfs, tmpfs; not an overlay, not NFS)"
                          : "mounting an overlay");
}

static void make_dev(void) {
  static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty", NULL};
  step(mount("dev", "root/dev", "tmpfs", MS_NOSUID, "mode=755,size=64k"), "mounting /dev");
  for (int i = 0; devices[i]; i++) {
    char from[64], to[64];
    snprintf(from, sizeof from, "/dev/%s", devices[i]);
    snprintf(to, sizeof to, "root/dev/%s", devices[i]);
    int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    step(fd, to);
    close(fd);
    if (mount(from, to, NULL, MS_BIND, NULL) && strcmp(devices[i], "tty")) wrong(from);
  }
  step(symlink("/proc/self/fd", "root/dev/fd"), "/dev/fd");
  step(symlink("/proc/self/fd/0", "root/dev/stdin"), "/dev/stdin");
  step(symlink("/proc/self/fd/1", "root/dev/stdout"), "/dev/stdout");
  step(symlink("/proc/self/fd/2", "root/dev/stderr"), "/dev/stderr");
  step(mkdir("root/dev/pts", 0755), "/dev/pts");
  if (!mount("devpts", "root/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"))
    step(symlink("pts/ptmx", "root/dev/ptmx"), "/dev/ptmx");
  step(mkdir("root/dev/shm", 01777), "/dev/shm");
  step(mount("shm", "root/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "mounting /dev/shm");
}


static void private_files(const struct boot *b, const char *resolver) {
  char hostname[80];
  snprintf(hostname, sizeof hostname, "%.63s\n", b->id);
  step(write_small(AT_FDCWD, "root/etc/hosts", b->hosts, 0644), "writing /etc/hosts");
  step(write_small(AT_FDCWD, "root/etc/hostname", hostname, 0644), "writing /etc/hostname");
  if (*resolver) step(write_small(AT_FDCWD, "root/etc/resolv.conf", resolver, 0644), "writing /etc/resolv.conf");
}

/* The whole file: it may be a link into /run, which the machine has of its own. */
static void read_resolver(char *into, size_t size) {
  int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, into, size - 1);
  into[n > 0 ? n : 0] = 0;
  if (fd >= 0) close(fd);
}

static void read_only(const char *target) {
  struct statvfs s;
  unsigned long keep = 0;
  /* In a user namespace a mount may not lose what its source had. */
  static const struct { unsigned long had, flag; } flags[] = {{ST_NOSUID, MS_NOSUID}, {ST_NODEV, MS_NODEV}, {ST_NOEXEC, MS_NOEXEC},
      {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME}};
  step(statvfs(target, &s), target);
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (s.f_flag & flags[i].had) keep |= flags[i].flag;
  step(mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | keep, NULL), target);
}

static void make_sys(void) {
  if (!is_directory("root/sys") || mount("/sys", "root/sys", NULL, MS_BIND | MS_REC, NULL)) return;
#ifdef SYS_mount_setattr
  struct { uint64_t set, clear, propagation, userns; } readonly = {1 /* MOUNT_ATTR_RDONLY */, 0, 0, 0};
  if (!syscall(SYS_mount_setattr, AT_FDCWD, "root/sys", 0x8000 /* AT_RECURSIVE */, &readonly, sizeof readonly)) return;
#endif
  /* Rather none than one that can be written: a kernel before 5.12. */
  step(umount2("root/sys", MNT_DETACH), "leaving /sys out");
}

/*
 * /proc is the machine's own, but what it says of the kernel is the host's: without any capability root may write
 * core_pattern or sysrq-trigger. The same list as container engines have.
 */
static void guard_proc(const char *proc) {
  static const char *const readable[] = {"sys", "sysrq-trigger", "irq", "bus", "fs", NULL};
  static const char *const covered[] = {"kcore", "keys", "latency_stats", "timer_list", "sched_debug", NULL};
  char path[64];
  for (int i = 0; readable[i]; i++) {
    snprintf(path, sizeof path, "%s/%s", proc, readable[i]);
    if (access(path, F_OK)) continue;
    step(mount(path, path, NULL, MS_BIND | MS_REC, NULL), path);
    read_only(path);
  }
  for (int i = 0; covered[i]; i++) {
    snprintf(path, sizeof path, "%s/%s", proc, covered[i]);
    if (!access(path, F_OK)) step(mount("/dev/null", path, NULL, MS_BIND, NULL), path);
  }
}

/*
 * Directories of the host at places of the machine's own, for reading. Sources are found in the host's
 * root, which is still /.
 */
static void make_mounts(const char *list) {
  char source[4096], target[4096], place[4200];
  for (int used = 0; sscanf(list, "%4095[^\t]\t%4095[^\n]\n%n", source, target, &used) == 2; list += used, used = 0) {
    snprintf(place, sizeof place, "root%s", target);
    step(make_dirs(place, 0755), target);
    step(mount(source, place, NULL, MS_BIND, NULL), source);
    read_only(place);
    if (!used) break;
  }
}

static int listen_here(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "agent.sock"};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  step(fd, "making a socket");
  step(bind(fd, (struct sockaddr *)&address, sizeof address), "binding agent.sock");
  step(listen(fd, 1024), "listening");
  return fd;
}

static void own_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  step(fd < 0 ? fd : ioctl(fd, SIOCSIFFLAGS, &request), "raising the loopback");
  close(fd);
}

static void make_proc(const char *proc) {
  step(mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mounting /proc");
  guard_proc(proc);
}

/*
 * Makes the root of a machine from the layers beside us and enters it. Returns the directory of
 * the disks, -1 in a room.
 */
static int enter_root(const struct boot *b) {
  char resolver[8192];
  int disks = -1;
  read_resolver(resolver, sizeof resolver);
  mount_root(b);
  /*
   * Disks are bound below /run and covered by its tmpfs: no path leads there, but the mount is part of this namespace,
   * so a disk made later can still be bound from it onto /var/vcap/store.
   */
  if (!b->renewable) {
    step(mount("../../disks", "root/run", NULL, MS_BIND, NULL), "binding the disks");
    disks = open("root/run", O_PATH | O_DIRECTORY | O_CLOEXEC);
    step(disks, "opening the disks");
  }
  step(mount("run", "root/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"), "mounting /run");
  step(mkdir("root/run/lock", 01777), "/run/lock");
  step(mount("vcap", "root/var/vcap", NULL, MS_BIND, NULL), "binding /var/vcap");
  step(mount("tmp", "root/tmp", NULL, MS_BIND, NULL), "binding /tmp");
  make_proc("root/proc");
  make_dev();
  make_sys();
  private_files(b, resolver);
  make_mounts(b->mounts);

  step(chdir("root"), "entering the root");
  step((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
  step(umount2(".", MNT_DETACH), "leaving the old root");
  step(chdir("/"), "entering /");
  char hostname[64];
  snprintf(hostname, sizeof hostname, "%.63s", b->id);
  step(sethostname(hostname, strlen(hostname)), "sethostname");
  if (!strcmp(b->network, "none")) own_loopback();
  return disks;
}

void boot_room(const struct boot *b, int to_agent) {
  report = to_agent;
  setsid();
  enter_root(b);
}

/* Another PID 1 for a room that has its root already. */
void reboot_room(int to_agent) {
  report = to_agent;
  setsid();
  make_proc("/proc");
}

struct held boot_machine(const struct boot *b) {
  char go, said[500];
  report = b->to_helper;
  step(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
  /* The end of file means that the helper died before it wrote down who we are. */
  if (read(b->from_helper, &go, 1) != 1) _exit(1);
  setsid();
  umask(022);
  struct held held;
  held.vm_dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  held.fences = open("fences", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  step(held.fences, "opening the fences");
  held.listener = listen_here();

  step(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "making mounts private");
  if (b->renewable) {
    /* We stay outside: scripts run in rooms, which see nothing of us. */
    held.disks = -1;
    step(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mounting /proc of the agent");
    if (!open_rooms(b, said, sizeof said)) {
      write_all(report, said, strlen(said));
      _exit(1);
    }
  } else {
    held.disks = enter_root(b);
  }
  /* Loading modules, raw ports and the clock belong to the host. */
  prctl(PR_CAPBSET_DROP, 16);
  prctl(PR_CAPBSET_DROP, 17);
  prctl(PR_CAPBSET_DROP, 25);
  prctl(PR_SET_NAME, "remodel-agent");

  step((int)write(b->to_helper, "ready", 6), "telling the helper");
  if (read(b->from_helper, &go, 1) != 1) _exit(1);
  prctl(PR_SET_PDEATHSIG, 0);
  close(b->from_helper);
  close(b->to_helper);
  return held;
}
