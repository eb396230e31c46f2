#include "remodel.h"
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/*
 * The loop of PID 1: sockets, the pipes of commands, the ends of processes, one deadline for the supervisor. It sleeps
 * without a timer while nothing is supposed to happen. One event a turn, so that a handler may free anything.
 */
static int epoll = -1;
struct held held;

void watch_set(struct watch *w, uint32_t events) {
  struct epoll_event e = {.events = events, .data.ptr = w};
  if (w->events == events) return;
  epoll_ctl(epoll, !w->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, w->fd, &e);
  w->events = events;
}

void watch_close(struct watch *w) {
  if (w->fd < 0) return;
  watch_set(w, 0);
  close(w->fd);
  w->fd = -1;
}

void reap_children(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    room_reaped(pid);
    supervise_reaped(pid, status);
  }
}

static void reap(struct watch *w, uint32_t events) {
  (void)events;
  struct signalfd_siginfo ignored;
  while (read(w->fd, &ignored, sizeof ignored) > 0) continue;
  reap_children();
}

/* What a command or a start script expects of the process that starts it. */
void child_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
}

void run_agent(struct held from_boot) {
  held = from_boot;
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, NULL);
  signal(SIGPIPE, SIG_IGN);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct watch signals = {signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), 0, reap, NULL};
  struct watch listener = {held.listener, 0, conn_accept, NULL};
  if (epoll < 0 || signals.fd < 0) _exit(1);
  watch_set(&signals, EPOLLIN);
  watch_set(&listener, EPOLLIN);
  for (;;) {
    struct epoll_event e;
    if (epoll_wait(epoll, &e, 1, supervise_tick()) == 1) {
      struct watch *w = e.data.ptr;
      w->ready(w, e.events);
    }
  }
}
