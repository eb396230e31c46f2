#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * A connection reads, is answered, and is closed when a request said so, when its peer is gone, or when the server
 * ends. A turn of the loop first reads and handles everything that is ready, then settles once, then sends: an answer
 * is on the wire only after what it acknowledges is on the disk.
 */
struct connection {
  int fd;
  sds in, out;
  size_t sent;
  bool asked;   /* a request was read: without one it is not known to be idle */
  bool closing; /* nothing more is handled; closed when `out` was sent */
  bool waits_for_room;
  struct connection *previous, *next;
};

struct server {
  int epoll, listener, signals;
  struct connection *connections;
  const struct http_hooks *hooks;
  bool ending;
  int64_t ended_at; /* milliseconds; where `ending` */
};

/* How long, once the server ends, a connection may take to send its first request, and all of them to end. */
enum { first_request_ms = 300, stuck_ms = 5000, buffer_limit = 512 * 1024 };

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_connection(struct server *server, struct connection *connection) {
  if (connection->previous) connection->previous->next = connection->next;
  else server->connections = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  close(connection->fd);
  sdsfree(connection->in);
  sdsfree(connection->out);
  free(connection);
}

static void answer(struct connection *connection, struct http_response *response, bool keep_alive) {
  connection->out = http_format(connection->out, response, keep_alive);
  if (!keep_alive) connection->closing = true;
  sdsfree(response->body);
}

static void handle_requests(struct server *server, struct connection *connection) {
  size_t done = 0;
  while (!connection->closing) {
    struct http_request request;
    size_t used = 0;
    enum http_parsed parsed =
        http_parse(connection->in + done, sdslen(connection->in) - done, &request, &used);
    if (parsed == HTTP_MORE) break;
    connection->asked = true;
    struct http_response response = {.status = 200, .type = "text/plain; charset=utf-8", .body = sdsempty()};
    if (parsed == HTTP_REQUEST) {
      server->hooks->handle(server->hooks->context, &request, &response);
      answer(connection, &response, request.keep_alive && !server->ending);
      done += used;
    } else {
      response.status = parsed == HTTP_TOO_LARGE ? 413 : parsed == HTTP_LENGTH_REQUIRED ? 411 : 400;
      answer(connection, &response, false);
    }
  }
  if (done > 0) sdsrange(connection->in, (int)done, -1);
}

/* False where nothing more will come. */
static bool receive(struct connection *connection) {
  while (sdslen(connection->in) < buffer_limit) {
    char chunk[16 * 1024];
    ssize_t got = recv(connection->fd, chunk, sizeof chunk, 0);
    if (got > 0) connection->in = sdscatlen(connection->in, chunk, (size_t)got);
    else if (got < 0 && errno == EINTR) continue;
    else return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if ((size_t)got < sizeof chunk) return true;
  }
  return true;
}

/* False where the connection is to be closed. */
static bool flush(struct server *server, struct connection *connection) {
  while (connection->sent < sdslen(connection->out)) {
    ssize_t put = send(connection->fd, connection->out + connection->sent, sdslen(connection->out) - connection->sent,
                       MSG_NOSIGNAL);
    if (put > 0) connection->sent += (size_t)put;
    else if (errno == EINTR) continue;
    else if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    else return false;
  }
  bool all = connection->sent == sdslen(connection->out);
  if (all && connection->sent > 0) {
    sdsclear(connection->out);
    connection->sent = 0;
  }
  if (all && connection->closing) return false;
  if (all && server->ending && sdslen(connection->in) == 0) {
    if (connection->asked || now_ms() - server->ended_at >= first_request_ms) return false;
  }
  if (all == connection->waits_for_room) {
    connection->waits_for_room = !all;
    struct epoll_event event = {.events = EPOLLIN | (all ? 0u : EPOLLOUT), .data.ptr = connection};
    epoll_ctl(server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
  }
  return true;
}

static void accept_all(struct server *server) {
  for (;;) {
    int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return;
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (!connection || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
      free(connection);
      close(fd);
      continue;
    }
    connection->fd = fd;
    connection->in = sdsempty();
    connection->out = sdsempty();
    connection->next = server->connections;
    if (server->connections) server->connections->previous = connection;
    server->connections = connection;
  }
}

static void take_signal(struct server *server) {
  struct signalfd_siginfo info;
  while (read(server->signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGUSR1) {
      server->hooks->drain(server->hooks->context);
    } else if (!server->ending) {
      server->ending = true;
      server->ended_at = now_ms();
      /* Who connected before the listener went away has sent a request, or is about to: it is answered. */
      accept_all(server);
      close(server->listener);
    }
  }
}

static int listen_on(const char *address, int port) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &where.sin_addr) != 1) {
    fprintf(stderr, "http: %s is no IPv4 address\n", address);
    return -1;
  }
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&where, sizeof where) == 0 && listen(fd, 1024) == 0) return fd;
  fprintf(stderr, "http: cannot listen on %s:%d: %s\n", address, port, strerror(errno));
  close(fd);
  return -1;
}

static bool set_up(struct server *server, const char *address, int port) {
  sigset_t handled;
  sigemptyset(&handled);
  sigaddset(&handled, SIGUSR1);
  sigaddset(&handled, SIGTERM);
  sigaddset(&handled, SIGINT);
  sigprocmask(SIG_BLOCK, &handled, NULL);
  server->signals = signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC);
  server->epoll = epoll_create1(EPOLL_CLOEXEC);
  server->listener = listen_on(address, port);
  if (server->listener < 0 || server->epoll < 0 || server->signals < 0) return false;
  struct epoll_event accepts = {.events = EPOLLIN, .data.ptr = &server->listener};
  struct epoll_event signals = {.events = EPOLLIN, .data.ptr = &server->signals};
  return epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &accepts) == 0 &&
         epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->signals, &signals) == 0;
}

int http_serve(const char *address, int port, const struct http_hooks *hooks) {
  struct server server = {.hooks = hooks};
  if (!set_up(&server, address, port)) return 1;
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(server.epoll, events, 256, server.ending ? 50 : -1);
    if (count < 0 && errno != EINTR) return 1;
    bool signalled = false;
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == &server.listener) {
        if (!server.ending) accept_all(&server);
      } else if (events[i].data.ptr == &server.signals) {
        signalled = true;
      } else {
        struct connection *connection = events[i].data.ptr;
        bool more = !(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || receive(connection);
        handle_requests(&server, connection);
        if (!more) connection->closing = true;
      }
    }
    /* After the requests of this turn, so that none of them is taken for an idle connection. */
    if (signalled) take_signal(&server);
    if (hooks->settle(hooks->context) != 0) return 1;
    for (struct connection *connection = server.connections, *next; connection; connection = next) {
      next = connection->next;
      if (!flush(&server, connection)) close_connection(&server, connection);
    }
    if (server.ending && (!server.connections || now_ms() - server.ended_at >= stuck_ms)) return 0;
  }
}
