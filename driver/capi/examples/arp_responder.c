/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A slow path in C. It answers ARP requests for one address, whatever vport they come from, and lets IPv4 flows out of the first uplink, with a rule for each, which it counts.
 *
 *     arp_responder DEVICE ADDRESS
 *
 * such as `arp_responder vfio-user:dpu 192.0.2.1`. It ends with SIGINT or SIGTERM. */
#include <arpa/inet.h>
#include <millrace.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VPORTS = 128, BURST = 32, FLOWS = 4096, ETHERNET = 14, ARP = 42, IPV4 = 34 };

static const uint8_t responder[6] = {2, 0x4d, 0x52, 0, 1, 0};
static struct millrace_device *device;
static struct millrace_port *ports[VPORTS];
static uint64_t flows[FLOWS];
static int flow_count;
static volatile sig_atomic_t ended;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

/* What a call gave, unless it failed: that ends the program. */
static int must(int given) {
    if (given < 0) {
        fprintf(stderr, "arp_responder: %s (%s)\n", millrace_error_message(), millrace_strerror(given));
        exit(1);
    }
    return given;
}

/* Sends a frame out of a vport, out of the buffer in which it lies. */
static void send_out(uint32_t vport, struct millrace_frame *frame) {
    if (must(millrace_port_send(ports[vport], frame, 1)) == 0)
        must(millrace_port_free(ports[vport], frame, 1));
}

/* Makes the answer of a request for `address` where the request lies; 0 if it is none. */
static int answer(struct millrace_frame *frame, const uint8_t *address) {
    static const uint8_t request[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t *data = frame->data, *arp = data + ETHERNET;
    if (frame->length < ARP || memcmp(data + 12, request, sizeof request) || memcmp(arp + 24, address, 4))
        return 0;
    arp[7] = 2;                      /* a reply */
    memcpy(arp + 18, arp + 8, 10);   /* to who asked */
    memcpy(arp + 8, responder, 6);
    memcpy(arp + 14, address, 4);
    memcpy(data, data + 6, 6);
    memcpy(data + 6, responder, 6);
    return 1;
}

/* A rule for the flow of an IPv4 packet: its vport and addresses. */
static void count_flow(uint32_t vport, const uint8_t *data) {
    struct millrace_action out = {.kind = MILLRACE_OUTPUT, .value = 0};
    struct millrace_rule rule = {.key = {.in_port = vport, .dl_type = 0x0800}, .mask = {.in_port = 0xff, .dl_type = 0xffff},
                                 .actions = &out, .action_count = 1};
    memcpy(rule.key.nw_src + 12, data + ETHERNET + 12, 4);
    memcpy(rule.key.nw_dst + 12, data + ETHERNET + 16, 4);
    memset(rule.mask.nw_src + 12, 0xff, 4);
    memset(rule.mask.nw_dst + 12, 0xff, 4);
    int created = flow_count < FLOWS ? millrace_rule_create(device, &rule, &flows[flow_count]) : MILLRACE_E_FULL;
    if (created == 0)
        printf("flow %d\n", ++flow_count);
    else if (created != MILLRACE_E_EXISTS && created != MILLRACE_E_FULL) /* of a packet that was on its way, or without a rule */
        must(created);
}

static void serve(uint32_t vport, const uint8_t *address) {
    struct millrace_frame frames[BURST];
    int count = must(millrace_port_receive(ports[vport], frames, BURST));
    for (int i = 0; i < count; i++) {
        const uint8_t *data = frames[i].data;
        if (answer(&frames[i], address)) {
            send_out(vport, &frames[i]);
        } else if (vport != 0 && frames[i].length >= IPV4 && data[12] == 8 && data[13] == 0) {
            count_flow(vport, data);
            send_out(0, &frames[i]);
        } else {
            must(millrace_port_free(ports[vport], &frames[i], 1));
        }
    }
    if (count == 0)
        must(millrace_port_check(ports[vport]));
}

int main(int argc, char **argv) {
    struct millrace_options options = {.version = MILLRACE_API_VERSION, .flags = MILLRACE_EVENTS};
    struct millrace_device_info info;
    struct pollfd fds[VPORTS] = {0};
    uint8_t address[4];
    if (argc != 3 || inet_pton(AF_INET, argv[2], address) != 1) {
        fprintf(stderr, "usage: arp_responder DEVICE ADDRESS\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGINT, end);
    signal(SIGTERM, end);
    must(millrace_device_open(argv[1], &options, &device));
    must(millrace_device_info(device, &info));
    for (uint32_t vport = 0; vport < info.vports; vport++) {
        struct millrace_function_config config = {.mac = {2, 0x4d, 0x52, 0, 0, vport}, .mtu = 1500, .link_up = 1};
        must(millrace_representor_open(device, vport, &ports[vport]));
        if (vport >= info.uplinks)
            must(millrace_function_configure(device, vport, &config));
        fds[vport] = (struct pollfd){.fd = must(millrace_port_fd(ports[vport])), .events = POLLIN};
    }
    printf("ready\n");
    while (!ended) {
        if (poll(fds, info.vports, -1) <= 0)
            continue; /* a signal */
        for (uint32_t vport = 0; vport < info.vports; vport++)
            if (fds[vport].revents)
                serve(vport, address);
    }
    for (int flow = 0; flow < flow_count; flow++) {
        struct millrace_rule_counters counters;
        must(millrace_rule_query(device, flows[flow], &counters));
        printf("flow %d: %llu packets in hardware\n", flow + 1, (unsigned long long)counters.packets);
    }
    must(millrace_rule_flush(device));
    must(millrace_device_close(device));
    return 0;
}
