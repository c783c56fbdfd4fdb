/* The load client of `make bench`: watchers on websockets and requests over HTTP, from one thread, on one epoll.
 *
 *   load PORT            connects to 127.0.0.1:PORT, reads commands from stdin, answers each with one line of JSON:
 *
 *   open TEXT            what a watcher says when engine.io is open ("40/live,"); none: it is there with the handshake
 *   hello TEXT           what it says when its namespace is (`42/live,1["watch",{...}]`)
 *   connect N WINDOW MISSED PATH    N more watchers, at most WINDOW on their way at once; each is there when it has its ack
 *                        and the MISSED events behind its cursor
 *   expect COUNT MS      begin to count: `{"ok":1}` now, and a second line when every watcher has COUNT more events, or when
 *                        none came for MS
 *   ask N RATE MS PATIENCE FILE    send the requests of FILE ("LENGTH\n" and the bytes, again and again) over N connections,
 *                        RATE a second (0: as fast as they are answered), for MS; a line when all are answered and every
 *                        watcher has heard of the last vote, or when nothing came for PATIENCE ms
 *
 * An event is known by its "sequence", and its age by its "time". Each watcher folds the sequences that it hears into a
 * digest: what is lost, doubled or out of order shows there. A vote is known by the tally in its answer; those that were cast
 * together have the same one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTING, UPGRADING, OPENING, JOINING, THERE, IDLE, ASKING, GONE };
enum { WAITING, CONNECT, EXPECT, ASK, HEARING }; /* what the client is doing */
#define DIGEST 14695981039346656037ul
#define BUCKET 100 /* microseconds */
#define BUCKETS 600000
#define STDIN UINT32_MAX

typedef struct {
    int fd, state;
    char *rest; /* the beginning of what has not come whole yet */
    size_t length;
    uint64_t begun, due, last, digest, events, votes;
} Conn;
typedef struct { uint32_t conn; uint64_t at, votes; } Heard;
typedef struct { uint64_t due, next; } Vote; /* the next one with the same tally, counted from 1 */
typedef struct { uint64_t count, max; uint32_t in[BUCKETS]; } Ages;

static Conn *conns;
static uint32_t many, first_asking, wanted, window, missed;
static struct sockaddr_in server;
static int poller, doing;
static char opening[256], hello[4096], path[256];
static uint64_t started, used, latest, patience, until, each, there, failed, satisfied;
static uint64_t disorder, backwards, frames, bytes;
static Ages ages, answers;
static Heard *heard;
static size_t heard_many, heard_room;
static char *requests, *next_request, *requests_end;
static uint64_t sent, answered, refused, *first_of, tally_room, most_votes, least_votes, vote_many, vote_room;
static Vote *votes_cast;
static double rate;

static void die(const char *why) { perror(why); exit(2); }
static uint64_t clock_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}
static uint64_t now(void) { return clock_us(CLOCK_MONOTONIC); }
static void note(Ages *of, uint64_t us) {
    of->in[us / BUCKET < BUCKETS ? us / BUCKET : BUCKETS - 1]++;
    of->count++;
    if (us > of->max) of->max = us;
}
static double percentile(const Ages *of, double part) { /* in milliseconds */
    uint64_t rank = of->count * part, passed = 0;
    for (size_t i = 0; of->count && i < BUCKETS; i++)
        if ((passed += of->in[i]) > rank) return (i + 1) * BUCKET / 1e3;
    return of->max / 1e3;
}
static void *more(void *p, size_t size) { if (!(p = realloc(p, size))) die("memory"); return p; }
static void begin(int what) {
    doing = what;
    started = latest = now();
    used = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    memset(&ages, 0, sizeof ages);
    memset(&answers, 0, sizeof answers);
    satisfied = there = failed = frames = bytes = disorder = backwards = heard_many = sent = answered = refused = most_votes = 0;
    least_votes = UINT64_MAX;
}
static void lose(Conn *c) {
    if (c->state == GONE) return;
    close(c->fd);
    c->state = GONE;
    failed++;
}
static void say(Conn *c, const void *data, size_t length) {
    if (send(c->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) lose(c);
}
static void say_frame(Conn *c, int opcode, const char *text, size_t n) { /* masked with zeros: the text as it is */
    char b[8 + sizeof hello] = {(char)(0x80 | opcode)};
    size_t head = n < 126 ? 2 : 4;
    b[1] = (char)(0x80 | (n < 126 ? n : 126));
    if (n >= 126) b[2] = (char)(n >> 8), b[3] = (char)n;
    memcpy(b + head + 4, text, n);
    say(c, b, head + 4 + n);
}

/* Watchers */

static uint64_t number(const char *p, const char *end) {
    uint64_t n = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) n = n * 10 + (uint64_t)(*p - '0');
    return n;
}
static const char *after(const char *p, const char *end, const char *key) {
    const char *found = memmem(p, (size_t)(end - p), key, strlen(key));
    return found ? found + strlen(key) : NULL;
}
static uint64_t age(const char *t, const char *end) { /* of "2030-01-31T23:59:59.123456Z", within a day */
    const uint64_t day = 86400000000ull;
    uint64_t us = 0, unit = 100000;
    if (end - t < 20) return day;
    for (const char *p = t + 20; t[19] == '.' && p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
        us += (uint64_t)(*p - '0') * unit;
    us += ((number(t + 11, t + 13) * 60 + number(t + 14, t + 16)) * 60 + number(t + 17, t + 19)) * 1000000;
    return (clock_us(CLOCK_REALTIME) % day + day - us) % day;
}
static void hear_events(Conn *c, const char *p, const char *end) {
    const char *t = after(p, end, "\"time\":\"");
    if (t && doing == EXPECT) note(&ages, age(t, end));
    while ((p = after(p, end, "\"sequence\":\""))) {
        uint64_t sequence = number(p, end);
        if (sequence <= c->last) disorder++;
        c->last = sequence;
        c->digest = (c->digest ^ sequence) * 1099511628211ull;
        if (++c->events == each && doing == EXPECT) satisfied++;
        latest = now();
    }
}
static void hear_facts(Conn *c, const char *p, const char *end) {
    if (!(p = after(p, end, "\"votes\":"))) return;
    uint64_t votes = number(p, end);
    if (votes < c->votes) backwards++;
    if (votes == c->votes) return;
    if (heard_many == heard_room) heard = more(heard, (heard_room = heard_room * 2 + 65536) * sizeof *heard);
    heard[heard_many++] = (Heard){(uint32_t)(c - conns), latest = now(), c->votes = votes};
}
static void arrive(Conn *c) { /* from now on it counts as there */
    note(&answers, c->due = now() - c->begun);
    there++;
}
static void hear_ack(Conn *c, const char *text, const char *end) {
    const char *votes = after(text, end, "\"votes\":");
    c->votes = votes ? number(votes, end) : 0;
    hear_events(c, text, end);
    if (c->state == JOINING) c->state = THERE;
}
static void hear_message(Conn *c, const char *text, const char *end) {
    const char *name = memchr(text, '[', (size_t)(end - text < 40 ? end - text : 40));
    if (!name || end - name < 8) return;
    if (!memcmp(name, "[\"event\"", 8)) hear_events(c, name, end);
    else if (!memcmp(name, "[\"facts\"", 8)) hear_facts(c, name, end);
}
static void hear(Conn *c, const char *text, size_t n) { /* a packet of engine.io, and of Socket.IO in it */
    int kind = n ? *text : 0, inner = n > 1 ? text[1] : 0;
    if (kind == '2' && n == 1) say_frame(c, 1, "3", 1); /* ping, pong */
    else if (kind == '0' && c->state == OPENING) say_frame(c, 1, opening, strlen(opening));
    else if (kind == '4' && inner == '0' && c->state == OPENING) c->state = JOINING, say_frame(c, 1, hello, strlen(hello));
    else if (kind == '4' && inner == '4') lose(c); /* refused */
    else if (kind == '4') {
        frames++, bytes += n;
        if (inner == '3') hear_ack(c, text, text + n);
        else if (inner == '2') hear_message(c, text, text + n);
        if (doing == CONNECT && c->state == THERE && c->events >= missed && !c->due) arrive(c);
    }
}
static size_t read_frames(Conn *c, char *data, size_t n) { /* returns how much of it was whole */
    size_t at = 0;
    while (n - at >= 2 && c->state != GONE) {
        unsigned char *b = (unsigned char *)data + at;
        uint64_t length = b[1] & 127, head = length == 126 ? 4 : length == 127 ? 10 : 2;
        if (n - at < head) break;
        if (head > 2) { length = 0; for (uint64_t i = 2; i < head; i++) length = length << 8 | b[i]; }
        if (n - at < head + length) break;
        if ((b[0] & 15) == 1) hear(c, (char *)b + head, length);
        else if ((b[0] & 15) == 9) say_frame(c, 10, (char *)b + head, length);
        else if ((b[0] & 15) == 8) lose(c);
        at += head + length;
    }
    return at;
}
static size_t read_upgrade(Conn *c, char *data, size_t n) {
    char *end = memmem(data, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (n < 12 || memcmp(data + 8, " 101", 4)) { lose(c); return n; }
    c->state = *opening ? OPENING : THERE;
    if (c->state == THERE) arrive(c);
    return (size_t)(end + 4 - data);
}

/* Requests */

static int ask_next(Conn *c, uint64_t due) {
    if (next_request == requests_end) return 0;
    char *body = memchr(next_request, '\n', 20);
    uint64_t length = number(next_request, body);
    c->state = ASKING, c->due = due;
    say(c, body + 1, length);
    next_request = body + 1 + length;
    sent++;
    return 1;
}
static uint64_t content_length(char *head, char *end) { /* UINT64_MAX: it is not said */
    for (char *p = head; p < end; p++) {
        if (*p != '\n' || strncasecmp(p + 1, "content-length:", 15)) continue;
        for (p += 16; *p == ' ';) p++;
        return number(p, end);
    }
    return UINT64_MAX;
}
static void count_vote(uint64_t tally, uint64_t due) {
    if (tally >= tally_room) {
        uint64_t had = tally_room;
        first_of = more(first_of, (tally_room = tally * 2 + 65536) * sizeof *first_of);
        memset(first_of + had, 0, (tally_room - had) * sizeof *first_of);
    }
    if (vote_many == vote_room) votes_cast = more(votes_cast, (vote_room = vote_room * 2 + 65536) * sizeof *votes_cast);
    votes_cast[vote_many++] = (Vote){due, first_of[tally]};
    first_of[tally] = vote_many;
    if (tally > most_votes) most_votes = tally;
    if (tally < least_votes) least_votes = tally;
}
static size_t read_answer(Conn *c, char *data, size_t n) {
    char *end = memmem(data, n, "\r\n\r\n", 4);
    if (!end) return 0;
    uint64_t head = (uint64_t)(end + 4 - data), length = content_length(data, end), at = latest = now();
    if (length == UINT64_MAX) { refused++, lose(c); return n; }
    if (n < head + length) return 0;
    note(&answers, at - c->due);
    answered++, bytes += head + length;
    const char *votes = after(end, data + head + length, "\"votes\":");
    if (data[9] != '2') {
        if (!refused++) fprintf(stderr, "refused: %.*s\n", (int)(n < 1500 ? n : 1500), data);
    } else if (votes) count_vote(number(votes + strspn(votes, " "), data + head + length), c->due);
    c->state = IDLE;
    if (rate == 0 && doing == ASK && at < until) ask_next(c, at);
    return head + length;
}
static void ask_due(void) { /* what should have been sent by now is late from when it was due, however busy all connections are */
    uint64_t t = now();
    if (doing != ASK || rate == 0 || t >= until) return;
    for (uint32_t i = first_asking; i < many && sent < (t - started) * rate / 1e6; i++)
        if (conns[i].state == IDLE && !ask_next(conns + i, started + (uint64_t)(sent * 1e6 / rate))) return;
}

/* Connections */

static void watch_fd(int how, uint32_t who, int fd, uint32_t what) {
    struct epoll_event e = {.events = what, .data.u32 = who};
    if (epoll_ctl(poller, how, fd, &e)) die("epoll");
}
static void dial(void) {
    conns = more(conns, (many + 1) * sizeof *conns);
    Conn *c = conns + many;
    *c = (Conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .state = CONNECTING, .begun = now(), .digest = DIGEST};
    int one = 1;
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (void *)&server, sizeof server) && errno != EINPROGRESS) die("connect");
    watch_fd(EPOLL_CTL_ADD, many++, c->fd, EPOLLOUT);
}
static void connected(Conn *c) {
    int wrong = 0;
    socklen_t size = sizeof wrong;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &wrong, &size);
    watch_fd(EPOLL_CTL_MOD, (uint32_t)(c - conns), c->fd, EPOLLIN);
    if (wrong) { lose(c); return; }
    if (doing == ASK) { c->state = IDLE; if (rate == 0) ask_next(c, now()); return; }
    char text[1024];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, ntohs(server.sin_port));
    c->state = UPGRADING;
    say(c, text, (size_t)n);
}
static size_t take(Conn *c, char *data, size_t n) { /* what was whole of it */
    switch (c->state) {
        case UPGRADING: return read_upgrade(c, data, n);
        case ASKING: return read_answer(c, data, n);
        case IDLE: return 0;
        default: return read_frames(c, data, n);
    }
}
static void receive(Conn *c) {
    static char data[1 << 20];
    while (c->state != GONE) {
        size_t had = c->length, at = 0, step = 1;
        if (had) memcpy(data, c->rest, had);
        ssize_t got = had < sizeof data ? recv(c->fd, data + had, sizeof data - had, 0) : 0;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { lose(c); return; }
        size_t n = had + (size_t)got;
        for (; at < n && step && c->state != GONE; at += step) step = take(c, data + at, n - at);
        c->length = n - at;
        if (c->length) memcpy(c->rest = more(c->rest, c->length), data + at, c->length);
        else free(c->rest), c->rest = NULL;
        if ((size_t)got < sizeof data - had) return;
    }
}

/* Commands */

static uint64_t match_votes(void) { /* when each watcher heard of each vote; how many no answer told of */
    uint64_t before = least_votes, moved = 0, known = 0, *upto = more(NULL, (many + 1) * sizeof *upto);
    for (uint64_t v = first_of[least_votes]; v; v = votes_cast[v - 1].next) before--;
    for (uint32_t i = 0; i < many; i++) upto[i] = before;
    for (Heard *h = heard; h < heard + heard_many; h++)
        for (; upto[h->conn] < h->votes; moved++) {
            uint64_t tally = ++upto[h->conn];
            for (uint64_t v = tally > most_votes ? 0 : first_of[tally]; v; v = votes_cast[v - 1].next, known++) {
                uint64_t due = votes_cast[v - 1].due;
                note(&ages, h->at > due ? h->at - due : 0);
            }
        }
    free(upto);
    return moved > known ? moved - known : known - moved;
}
static void say_count(const char *name, uint64_t value) { printf("\"%s\":%lu,", name, value); }
static void say_time(const char *name, double value) { printf("\"%s\":%.6f,", name, value); }
static void report(void) {
    uint64_t behind = 0, unlike = 0, end = doing == HEARING ? now() : latest;
    uint64_t lost = doing == HEARING && most_votes ? match_votes() : 0;
    for (uint32_t i = 0; i < first_asking; i++) {
        behind += doing == HEARING && most_votes && conns[i].votes != most_votes;
        unlike += conns[i].digest != conns[0].digest;
    }
    putchar('{');
    say_time("seconds", (end - started) / 1e6), say_time("cpu", (clock_us(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e6);
    say_count("there", there), say_count("failed", failed), say_count("frames", frames), say_count("bytes", bytes);
    say_count("satisfied", satisfied), say_count("disorder", disorder), say_count("unlike", unlike);
    say_count("sent", sent), say_count("answered", answered), say_count("refused", refused), say_count("tally", most_votes);
    say_count("heard", ages.count), say_count("backwards", backwards), say_count("behind", behind), say_count("lost", lost);
    say_time("p50", percentile(&ages, 0.5)), say_time("p99", percentile(&ages, 0.99)), say_time("worst", ages.max / 1e3);
    say_time("answer_p50", percentile(&answers, 0.5)), say_time("answer_p99", percentile(&answers, 0.99));
    say_time("answer_worst", answers.max / 1e3);
    printf("\"digest\":%lu}\n", many ? conns[0].digest : DIGEST);
    fflush(stdout);
    for (; many > first_asking; many--) { /* who asked hangs up */
        if (conns[many - 1].state != GONE) close(conns[many - 1].fd);
        free(conns[many - 1].rest);
    }
    doing = WAITING;
}
static void load_requests(const char *file) {
    FILE *f = fopen(file, "rb");
    if (!f || fseek(f, 0, SEEK_END)) die(file);
    long size = ftell(f);
    rewind(f);
    requests = next_request = more(requests, (size_t)size + 1);
    requests_end = requests + size;
    if (fread(requests, 1, (size_t)size, f) != (size_t)size) die(file);
    fclose(f);
}
static void obey(char *line) {
    unsigned n;
    unsigned long ms, patient;
    char file[1024];
    if (!strncmp(line, "open ", 5)) snprintf(opening, sizeof opening, "%.255s", line + 5);
    else if (!strncmp(line, "hello ", 6)) snprintf(hello, sizeof hello, "%.4095s", line + 6);
    else if (sscanf(line, "connect %u %u %u %255s", &n, &window, &missed, path) == 4) {
        begin(CONNECT);
        wanted = many + n, patience = 90000000;
    } else if (sscanf(line, "expect %lu %lu", &each, &ms) == 2) {
        begin(EXPECT);
        patience = ms * 1000;
        for (uint32_t i = 0; i < many; i++) conns[i].events = 0, conns[i].digest = DIGEST;
        puts("{\"ok\":1}");
        fflush(stdout);
    } else if (sscanf(line, "ask %u %lf %lu %lu %1023s", &n, &rate, &ms, &patient, file) == 5) {
        load_requests(file);
        begin(ASK);
        first_asking = many, until = started + ms * 1000, patience = patient * 1000;
        if (tally_room) memset(first_of, 0, tally_room * sizeof *first_of);
        vote_many = 0;
        while (n--) dial();
    } else { fprintf(stderr, "no such command: %s\n", line); exit(2); }
}
static void go_on(void) { /* what time does */
    uint64_t t = now();
    if (doing == CONNECT) {
        while (many < wanted && many - first_asking - there - failed < window) dial();
        if (there + failed == wanted - first_asking || t > started + patience) { first_asking = many; latest = t; report(); }
    } else if (doing == EXPECT) {
        if (satisfied + failed >= first_asking || t > latest + patience) report();
    } else if (doing == ASK) {
        ask_due();
        if ((t >= until || next_request == requests_end) && (sent == answered || t > latest + patience)) doing = HEARING;
    }
    if (doing == HEARING) {
        uint32_t deaf = 0;
        for (uint32_t i = 0; most_votes && i < first_asking; i++) deaf += conns[i].state == THERE && conns[i].votes < most_votes;
        if (!deaf || t > latest + patience) report();
    }
}
int main(int count, char **words) {
    static char line[8192];
    size_t length = 0;
    struct epoll_event events[512];
    if (count != 2) return fprintf(stderr, "usage: load PORT\n"), 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server.sin_family = AF_INET, server.sin_port = htons((uint16_t)atoi(words[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    poller = epoll_create1(0);
    watch_fd(EPOLL_CTL_ADD, STDIN, 0, EPOLLIN);
    for (;;) {
        int n = epoll_wait(poller, events, 512, doing == WAITING ? 1000 : doing == ASK ? 1 : 10);
        for (int i = 0; i < n; i++) {
            uint32_t who = events[i].data.u32;
            if (who == STDIN) {
                ssize_t got = read(0, line + length, sizeof line - 1 - length);
                if (got <= 0) return 0;
                line[length += (size_t)got] = 0;
                for (char *end; (end = strchr(line, '\n'));) {
                    *end = 0;
                    obey(line);
                    length -= (size_t)(end + 1 - line);
                    memmove(line, end + 1, length + 1);
                }
            } else if (who < many && conns[who].state == CONNECTING) connected(conns + who);
            else if (who < many && conns[who].state != GONE) receive(conns + who);
        }
        go_on();
    }
}
