// SPDX-License-Identifier: MIT OR Apache-2.0
// A gigabit card at its pins, in real time as fast as it goes: what is on its UART is read from and written to file descriptor 0, which is a
// terminal's other side; frames on its GMIIs are datagrams on file descriptor 1: a byte with the port's number (bit 7: with tx_er), then the
// bytes on the wire, from the preamble to the check sequence. It ends when nobody holds the other end of that.
//
// Four clocks without relation: 62.5 MHz for the core, 125 MHz for transmission, and two PHYs a little off. Time stands still while nothing
// happens.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>
#include "Vgigabit_nic.h"
#include "verilated.h"

namespace {
constexpr int LINE = 0, WIRE = 1;
// Clocks of the core between two looks at what has come, and without anything to do before it is waited for.
constexpr unsigned LOOK = 64, QUIET = 20000;
// Bytes between two frames, and frames that wait at a port.
constexpr unsigned GAP = 12, AHEAD = 16;

[[noreturn]] void fail(const char* what) {
    perror(what);
    exit(1);
}

struct Clock {
    CData* pin;
    uint64_t half;
    uint64_t next;
};

// Bytes to the UART's receiver.
struct LineIn {
    CData* pin;
    std::deque<uint8_t> bytes;
    unsigned frame = 0, bits = 0, left = 0;

    bool busy() const { return bits || !bytes.empty(); }
    void read_some() {
        uint8_t buffer[256];
        ssize_t count = ::read(LINE, buffer, sizeof buffer);
        if (count > 0) bytes.insert(bytes.end(), buffer, buffer + count);
    }
    void clock() {
        if (left) {
            --left;
        } else if (bits) {
            *pin = frame & 1;
            frame >>= 1;
            --bits;
            left = CLOCKS_PER_BIT - 1;
        } else if (!bytes.empty()) {
            frame = bytes.front() << 1 | 0x200;
            bytes.pop_front();
            bits = 10;
            clock();
        }
    }
};

// Bytes from the UART's transmitter.
struct LineOut {
    const CData* pin;
    unsigned age = 0, byte = 0;
    bool inside = false;

    void clock() {
        if (!inside) {
            inside = !*pin;
            age = byte = 0;
            return;
        }
        ++age;
        if (age % CLOCKS_PER_BIT != CLOCKS_PER_BIT / 2 || age < CLOCKS_PER_BIT) return;
        unsigned bit = age / CLOCKS_PER_BIT;
        if (bit <= 8) {
            byte |= *pin << (bit - 1);
            return;
        }
        if (!*pin) {
            fprintf(stderr, "a byte of the UART has no stop bit\n");
            exit(1);
        }
        uint8_t whole = byte;
        while (write(LINE, &whole, 1) != 1)
            if (errno != EINTR && errno != EAGAIN) fail("the UART's line");
        inside = false;
    }
};

struct Port {
    unsigned number;
    CData *rxd, *rx_dv;
    const CData *txd, *tx_en, *tx_er;
    std::deque<std::vector<uint8_t>> frames;
    size_t at = 0;
    unsigned gap = 0;
    std::vector<uint8_t> sent;

    bool busy() const { return !frames.empty() || !sent.empty(); }
    void rx_clock() {
        *rx_dv = 0;
        if (gap) {
            --gap;
        } else if (!frames.empty()) {
            *rx_dv = 1;
            *rxd = frames.front()[at++];
            if (at == frames.front().size()) {
                frames.pop_front();
                at = 0;
                gap = GAP;
            }
        }
    }
    void tx_clock() {
        if (*tx_en) {
            if (sent.empty()) sent.push_back(number);
            if (*tx_er) sent[0] |= 0x80;
            sent.push_back(*txd);
        } else if (!sent.empty()) {
            if (send(WIRE, sent.data(), sent.size(), 0) < 0) fail("a frame on the wire");
            sent.clear();
        }
    }
};

struct Bench {
    VerilatedContext context;
    Vgigabit_nic card{&context};
    std::vector<Clock> clocks{{&card.clock, 8000, 0}, {&card.tx_clock, 4000, 0}, {&card.rx_clock_0, 3999, 0}, {&card.rx_clock_1, 4001, 0}};
    LineIn line_in{&card.uart_rx};
    LineOut line_out{&card.uart_tx};
    Port ports[2] = {{0, &card.gmii_rxd_0, &card.gmii_rx_dv_0, &card.gmii_txd_0, &card.gmii_tx_en_0, &card.gmii_tx_er_0},
                     {1, &card.gmii_rxd_1, &card.gmii_rx_dv_1, &card.gmii_txd_1, &card.gmii_tx_en_1, &card.gmii_tx_er_1}};
    unsigned tick = 0, quiet = 0;

    // What has come on the wire: whole frames.
    void receive() {
        uint8_t buffer[1 << 16];
        while (ports[0].frames.size() < AHEAD && ports[1].frames.size() < AHEAD) {
            ssize_t count = recv(WIRE, buffer, sizeof buffer, MSG_DONTWAIT);
            if (count == 0) exit(0);
            if (count < 2) return;
            ports[buffer[0] & 1].frames.emplace_back(buffer + 1, buffer + count);
        }
    }
    void look() {
        receive();
        if (!line_in.busy()) line_in.read_some();
        bool busy = line_in.busy() || line_out.inside || ports[0].busy() || ports[1].busy();
        quiet = busy ? 0 : quiet + LOOK;
        if (quiet < QUIET) return;
        pollfd fds[] = {{LINE, POLLIN, 0}, {WIRE, POLLIN, 0}};
        poll(fds, 2, -1);
        quiet = 0;
    }
    // Pins change, and are looked at, when their clock falls.
    void fall(size_t clock) {
        switch (clock) {
            case 0:
                card.reset = ++tick < 64;
                if (card.reset) break;
                line_in.clock();
                line_out.clock();
                if (tick % LOOK == 0) look();
                break;
            case 1:
                ports[0].tx_clock();
                ports[1].tx_clock();
                break;
            default:
                ports[clock - 2].rx_clock();
        }
    }
    void run() {
        card.reset = 1;
        card.uart_rx = 1;
        card.gmii_rx_er_0 = card.gmii_rx_er_1 = 0;
        card.gmii_rx_dv_0 = card.gmii_rx_dv_1 = 0;
        for (;;) {
            uint64_t now = clocks[0].next;
            for (const Clock& clock : clocks) now = clock.next < now ? clock.next : now;
            for (size_t i = 0; i < clocks.size(); ++i) {
                Clock& clock = clocks[i];
                if (clock.next != now) continue;
                clock.next += clock.half;
                *clock.pin = !*clock.pin;
                if (!*clock.pin) fall(i);
            }
            card.eval();
        }
    }
};
}  // namespace

int main() {
    Bench bench;
    bench.run();
}
