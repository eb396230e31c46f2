/*
 * Preloaded into a redis-server or a service, so that a test can set its clock: CLOCK_OFFSET names a
 * file with milliseconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long offset_us(void) {
  char text[32] = {0};
  const char *path = getenv("CLOCK_OFFSET");
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) return 0;
  if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
  close(file);
  return atoll(text) * 1000;
}

/* Redis asks both ways, and compares the answers. */
time_t time(time_t *also) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  time_t seconds = (now.tv_sec * 1000000LL + now.tv_nsec / 1000 + offset_us()) / 1000000;
  if (also) *also = seconds;
  return seconds;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
  struct timespec now;
  (void)tz;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  long long us = now.tv_sec * 1000000LL + now.tv_nsec / 1000 + offset_us();
  tv->tv_sec = us / 1000000;
  tv->tv_usec = us % 1000000;
  return 0;
}
