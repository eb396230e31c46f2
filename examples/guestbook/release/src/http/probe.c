/*
 * http-probe ADDRESS PORT PATH SECONDS: asks again and again until the answer is 200. Exit 0 then, 1 when the time is
 * over, with the last answer on standard error. For the post-start scripts: a machine need not have curl.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The first bytes of the answer, or the reason why there is none. */
static void ask(const struct sockaddr_in *where, const char *address, const char *path, char *said, size_t room) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval limit = {.tv_sec = 2};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  size_t got = 0;
  if (connect(fd, (const struct sockaddr *)where, sizeof *where) == 0 &&
      dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, address) > 0) {
    ssize_t count;
    while (got < room - 1 && (count = recv(fd, said + got, room - 1 - got, 0)) > 0) got += (size_t)count;
    said[got] = 0;
  }
  if (got == 0) snprintf(said, room, "%s", strerror(errno));
  said[strcspn(said, "\r\n")] = 0;
  close(fd);
}

int main(int argc, char **argv) {
  struct sockaddr_in where = {.sin_family = AF_INET};
  if (argc != 5 || inet_pton(AF_INET, argv[1], &where.sin_addr) != 1) {
    fprintf(stderr, "usage: http-probe ADDRESS PORT PATH SECONDS\n");
    return 2;
  }
  where.sin_port = htons((uint16_t)atoi(argv[2]));
  time_t deadline = time(NULL) + atoi(argv[4]);
  char said[256];
  for (;;) {
    ask(&where, argv[1], argv[3], said, sizeof said);
    if (strncmp(said, "HTTP/1.1 200", 12) == 0) return 0;
    if (time(NULL) >= deadline) break;
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
  }
  fprintf(stderr, "http://%s:%s%s: %s\n", argv[1], argv[2], argv[3], said);
  return 1;
}
