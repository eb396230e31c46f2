// hello ADDRESS PORT GREETING: answers every request with the greeting, one after the other, and logs it.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  int server = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 || bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 64)) {
    perror(argv[1]);
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("listening on %s:%s\n", argv[1], argv[2]);
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    char request[4096];
    ssize_t size = read(client, request, sizeof request - 1);
    if (size > 0) {
      request[size] = 0;
      printf("%.*s\n", (int)strcspn(request, "\r\n"), request);
      dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s\n", strlen(argv[3]) + 1, argv[3]);
    }
    close(client);
  }
}
