// Between the program's standard streams and ours. Whoever starts a cage may give it sockets (Node gives its children nothing else), and
// nobody can open a socket by its name: /dev/stdout, /dev/fd/1 and /proc/self/fd/1 answer ENXIO. So the program gets pipes, and the
// supervisor passes on what comes. Nothing here waits: what can't be passed on now holds back whoever writes it, as a full pipe does.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define RELAY_BYTES (64 * 1024)
// The supervisor has other things to do as well.
#define MOST_PIECES 16
#define MOST_ROUNDS 64
// Somebody who wants the end has so long to take the rest of the output.
#define REST_MS 100
// One who was told how the program ended says within so long that he read it.
#define READ_WITHIN_MS 1000
#define STREAMS 3

struct relay {
  int is_input;
  // -1: there is none, or it is over.
  int from, to;
  // What was read and is not passed on yet.
  size_t at, end;
  // Bytes in all; less than nothing where the stream is none of ours.
  long long passed;
  char bytes[RELAY_BYTES];
};

// Answers the program's end of a pipe where the stream is a socket, -1 where it can stay as it is, and -2 for an error, which it tells.
static int open_relay(struct relay *relay, int stream, const struct cage *cage) {
  struct stat stat;
  int ends[2];
  relay->is_input = stream == 0;
  relay->from = relay->to = -1;
  relay->at = relay->end = 0;
  relay->passed = -1;
  if (cage->no_relay || fstat(stream, &stat) != 0 || !S_ISSOCK(stat.st_mode)) return -1;
  if (pipe2(ends, O_CLOEXEC) != 0) return complain("pipe", ""), -2;
  int ours = ends[!!relay->is_input], theirs = ends[!relay->is_input];
  // Ours alone: each end has its own flags. By its name it is opened with the rights of a file, so that it has to belong to the program's user.
  if (fcntl(ours, F_SETFL, O_NONBLOCK) != 0 || (cage->uid >= 0 && fchown(theirs, (uid_t)cage->uid, (gid_t)cage->gid) != 0))
    return complain("pipe", ""), -2;
  relay->from = relay->is_input ? stream : ours;
  relay->to = relay->is_input ? ours : stream;
  relay->passed = 0;
  return theirs;
}

// Our end of the pipe is closed, so that the program hears of it. Our own output stays open for what there is to say.
static void end_relay(struct relay *relay) {
  if (relay->from < 0) return;
  // Others may hold our input too; whoever writes to it is told all the same. Both ways: one who waits for room is woken by that alone.
  if (relay->is_input) shutdown(relay->from, SHUT_RDWR);
  close(relay->from);
  if (relay->is_input) close(relay->to);
  relay->from = relay->to = -1;
}

// Answers whether there may be more at once.
static int pass_on(struct relay *relay) {
  for (int piece = 0; piece < MOST_PIECES; piece++) {
    if (relay->from < 0) return 0;
    if (relay->at == relay->end) {
      ssize_t length = relay->is_input ? recv(relay->from, relay->bytes, RELAY_BYTES, MSG_DONTWAIT) : read(relay->from, relay->bytes, RELAY_BYTES);
      if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
      if (length <= 0) return end_relay(relay), 0;
      relay->at = 0;
      relay->end = (size_t)length;
    }
    const char *rest = relay->bytes + relay->at;
    size_t size = relay->end - relay->at;
    ssize_t length = relay->is_input ? write(relay->to, rest, size) : send(relay->to, rest, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (length < 0) return end_relay(relay), 0;
    relay->at += (size_t)length;
    relay->passed += length;
  }
  return 1;
}

// Passes on what is there as far as its reader takes it now, and answers how many bytes he gets in all by then, those that still wait among them;
// -1 where the stream is none of ours, or he went away.
static long long pass_all(struct relay *relay) {
  for (int round = 0; round < MOST_ROUNDS && pass_on(relay); round++) {
  }
  if (relay->from < 0) return relay->at < relay->end ? -1 : relay->passed;
  int unread = 0;
  ioctl(relay->from, FIONREAD, &unread);
  return relay->passed + (long long)(relay->end - relay->at) + unread;
}

// What there is to wait for; two of them, of which either may be nothing.
static void await_relay(const struct relay *relay, struct pollfd *polled) {
  int is_full = relay->at < relay->end;
  polled[0] = (struct pollfd){is_full ? -1 : relay->from, POLLIN, 0};
  // With no event to wait for, an input says when nobody reads it any more.
  polled[1] = (struct pollfd){is_full || relay->is_input ? relay->to : -1, is_full ? POLLOUT : 0, 0};
}

static void relay_ready(struct relay *relay, const struct pollfd *polled) {
  if (relay->is_input && (polled[1].revents & POLLERR)) end_relay(relay);
  else if (polled[0].revents != 0 || polled[1].revents != 0) pass_on(relay);
}

enum { HEARD_NOTHING, HEARD_READ, HEARD_END };

// What was said after the report: `h` once it was read. Who went away wants the end, as who asks for it.
static int hear(int control) {
  char orders[64];
  int heard = HEARD_NOTHING;
  ssize_t length = recv(control, orders, sizeof orders, MSG_DONTWAIT);
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) return HEARD_END;
  for (ssize_t at = 0; at < length; at++) {
    if (orders[at] == 'x') return HEARD_END;
    if (orders[at] == 'h') heard = HEARD_READ;
  }
  return heard;
}

// All who wrote are gone: passes on what they left, for as long as whoever reads it takes, and some time longer when the end is wanted.
// Answers what was heard.
static int relay_rest(struct relay *relays, int control, int signalled, int is_wanted) {
  int heard = is_wanted ? HEARD_END : HEARD_NOTHING;
  unsigned long long deadline = is_wanted ? now_ms() + REST_MS : 0;
  end_relay(&relays[0]);
  for (;;) {
    struct pollfd polled[2 + STREAMS] = {{deadline ? -1 : signalled, POLLIN, 0}, {deadline ? -1 : control, POLLIN, 0}};
    int left = 0;
    for (int stream = 1; stream < STREAMS; stream++) {
      struct relay *relay = &relays[stream];
      while (pass_on(relay)) {
      }
      // Somebody outside may hold the other end: nothing that is to be waited for.
      int is_empty = relay->from < 0 || relay->at == relay->end;
      polled[2 + stream] = (struct pollfd){is_empty ? -1 : relay->to, POLLOUT, 0};
      left += !is_empty;
    }
    polled[2].fd = -1;
    unsigned long long now = now_ms();
    if (left == 0 || (deadline && now >= deadline)) return heard;
    poll(polled, 2 + STREAMS, deadline ? (int)(deadline - now) : -1);
    struct signalfd_siginfo info;
    int said = polled[1].revents != 0 ? hear(control) : HEARD_NOTHING;
    while (polled[0].revents != 0 && read(signalled, &info, sizeof info) == sizeof info)
      if (info.ssi_signo != SIGCHLD) said = HEARD_END;
    if (said > heard) heard = said;
    if (heard == HEARD_END && !deadline) deadline = now_ms() + REST_MS;
  }
}

// Whoever has many orders for us may write the next one now, before the report was read: were this side closed by then, the other could not read
// it any more. So it stays open until it was, and a second at most.
static void await_reader(int control, int signalled) {
  unsigned long long until = now_ms() + READ_WITHIN_MS;
  for (unsigned long long now = now_ms(); now < until; now = now_ms()) {
    struct pollfd polled[] = {{signalled, POLLIN, 0}, {control, POLLIN, 0}};
    poll(polled, 2, (int)(until - now));
    struct signalfd_siginfo info;
    while (polled[0].revents != 0 && read(signalled, &info, sizeof info) == sizeof info)
      if (info.ssi_signo != SIGCHLD) return;
    if (polled[1].revents != 0 && hear(control) != HEARD_NOTHING) return;
  }
}
