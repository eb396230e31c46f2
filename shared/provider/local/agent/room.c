#include "remodel.h"
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Rooms: how a VM is made as new without being made anew. All commands of a renewable VM run in a room: a mount,
 * process, network, IPC and host name namespace of its own, with layers of its own, made by the same code as a VM
 * (boot.c). The agent stays outside, where nothing in a room sees it.
 *
 *   open      commands run in it. A fresh one has run none.
 *   ended     'W': its PID 1 was killed, so the kernel has ended every process in it; another PID 1 was put into the same
 *             mount, network, IPC and host name namespaces, and commands go on among the same files.
 *   left      'N': the processes are ended as before, the namespaces are let go, and the next room is made from nothing. The layers
 *             are removed by a child of ours (`sweeper`); the renewal after this one waits for it, so a VM never
 *             carries more than one room that was left.
 */
enum { MNT, NET, IPC, UTS, PID, SPACES };
static const struct { const char *name; int flag; } kinds[SPACES] = {
    {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"pid", CLONE_NEWPID}};

static struct boot plan;
static char vm_path[4096];
static struct {
  long number;
  pid_t init, sweeper;
  int space[SPACES];
  bool used;
} room = {.space = {-1, -1, -1, -1, -1}};

bool has_rooms(void) { return plan.renewable; }

static void close_spaces(void) {
  for (int i = 0; i < SPACES; i++) {
    if (room.space[i] >= 0) close(room.space[i]);
    room.space[i] = -1;
  }
}

/* The host's network needs no way in, and a room in a user namespace of its own would have none. */
static bool is_own(int i) { return i != NET || !strcmp(plan.network, "none"); }

static bool open_space(int i) {
  if (!is_own(i)) return true;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", room.init, kinds[i].name);
  if (room.space[i] >= 0) close(room.space[i]);
  room.space[i] = open(path, O_RDONLY | O_CLOEXEC);
  return room.space[i] >= 0;
}

static bool enter_spaces(int first, int end) {
  for (int i = first; i < end; i++)
    if (is_own(i) && setns(room.space[i], kinds[i].flag)) return false;
  return true;
}

/* PID 1 of a room: it only takes the place; the kernel reaps what it inherits. Nothing of the agent is open in it. */
static void be_init(int to_agent) {
  child_signals();
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_NAME, "remodel-room");
  int high = fcntl(to_agent, F_DUPFD, 100);
  for (int fd = 0; fd < 3; fd++) close(fd);
  for (int fd = 0; fd < 3; fd++) open("/dev/null", O_RDWR);
  dup2(high, 3);
  close_from(4);
  write_all(3, "ready", 5);
  close(3);
  for (;;) pause();
}

/* Starts a PID 1 with these new namespaces. `make` builds what they need; it reports what fails itself. */
static bool start_init(unsigned long flags, void (*make)(int to_agent), char *said, size_t size) {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC)) return snprintf(said, size, "pipe: %s", strerror(errno)), false;
  room.init = (pid_t)syscall(SYS_clone, flags | CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0UL);
  if (!room.init) {
    make(pipe[1]);
    be_init(pipe[1]);
  }
  int cause = errno;
  close(pipe[1]);
  struct pollfd p = {.fd = pipe[0], .events = POLLIN};
  ssize_t n = room.init > 0 && poll(&p, 1, 15000) > 0 ? read(pipe[0], said, size - 1) : -1;
  close(pipe[0]);
  if (n == 5 && !memcmp(said, "ready", 5)) return true;
  if (room.init < 0) snprintf(said, size, "making namespaces: %s", strerror(cause));
  else if (n > 0) said[n] = 0;
  else snprintf(said, size, "PID 1 of a room did not come up");
  if (room.init > 0) {
    kill(room.init, SIGKILL);
    waitpid(room.init, NULL, 0);
  }
  room.init = 0;
  return false;
}

static void make_all(int to_agent) { boot_room(&plan, to_agent); }

static void join(int to_agent) {
  if (enter_spaces(0, PID) && !chdir("/")) {
    reboot_room(to_agent);
    return;
  }
  dprintf(to_agent, "entering a room: %s", strerror(errno));
  _exit(1);
}

static bool make_room(char *said, size_t size) {
  char place[64];
  int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  unsigned long flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | (is_own(NET) ? CLONE_NEWNET : 0);
  snprintf(place, sizeof place, "rooms/%ld", ++room.number);
  bool made = here >= 0 && !make_dirs(place, 0755) && !chdir(place) && prepare_layers(&plan);
  if (!made) snprintf(said, size, "making the layers of a room: %s", strerror(errno));
  made = made && start_init(flags, make_all, said, size);
  for (int i = 0; made && i < SPACES; i++)
    if (!open_space(i)) made = (snprintf(said, size, "opening a namespace: %s", strerror(errno)), false);
  if (here >= 0 && fchdir(here)) _exit(1);
  close(here);
  room.used = false;
  return made;
}

/*
 * Kills everything in the room. True when the kernel has: a PID 1 is gone when nothing is left in its namespace. It
 * waits for keepers too, whose parent we are, so we go on reaping.
 */
static bool end_processes(void) {
  long deadline = now_ms() + 3000;
  if (room.init > 0) kill(room.init, SIGKILL);
  for (reap_children(); room.init > 0 && now_ms() < deadline; reap_children()) usleep(100);
  return room.init <= 0;
}

bool open_rooms(const struct boot *b, char *said, size_t size) {
  plan = *b;
  plan.up = "../../../../";
  if (!getcwd(vm_path, sizeof vm_path)) return snprintf(said, size, "getcwd: %s", strerror(errno)), false;
  return make_room(said, size);
}

/* Of the process that becomes a command. */
bool room_enter(void) {
  if (!has_rooms()) return true;
  return enter_spaces(0, SPACES) && !chdir("/");
}

void room_use(void) { room.used = true; }

static void sweep(long number) {
  char place[64];
  snprintf(place, sizeof place, "rooms/%ld", number);
  room.sweeper = fork();
  if (room.sweeper) return;
  close_from(3);
  _exit(remove_tree(AT_FDCWD, place) ? 1 : 0);
}

void room_renew(struct conn *c) {
  char said[500];
  struct statvfs space;
  if (room.sweeper > 0) {
    c->waits = 'N';
    return;
  }
  if (room.used || room.init <= 0) {
    long left = room.number;
    if (!end_processes()) {
      conn_fail(c, "infrastructure", "a process of the VM does not end");
      return;
    }
    close_spaces();
    bool made = make_room(said, sizeof said);
    sweep(left);
    if (!made) {
      conn_fail(c, "infrastructure", "the VM cannot be made as new: %s", said);
      return;
    }
  }
  struct buf out = {0};
  buf_textf(&out, "%llu", statvfs(vm_path, &space) ? 0ULL : (unsigned long long)space.f_bavail * space.f_frsize);
  conn_send(c, 'A', out.p, out.len);
  c->waits = 0;
  c->ending = true;
  buf_free(&out);
}

void room_end_processes(struct conn *c) {
  char said[500];
  if (!end_processes())
    conn_fail(c, "infrastructure", "a process of the VM does not end");
  else if (room.space[MNT] < 0 || !start_init(0, join, said, sizeof said) || !open_space(PID))
    conn_fail(c, "infrastructure", "the VM cannot go on: %s", room.space[MNT] < 0 ? "it has no room" : said);
  else
    conn_done(c);
}

void room_reaped(pid_t pid) {
  if (pid == room.init) room.init = 0;
  if (pid != room.sweeper) return;
  room.sweeper = 0;
  for (struct conn *c = connections; c; c = c->next)
    if (c->waits == 'N') room_renew(c);
}
