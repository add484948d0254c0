/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every function of millrace.h, in use and wrongly used, on a device that `millrace serve` simulates without --flows: every_function FOLDER */
#include <millrace.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : fail(__LINE__, #what))
#define FAILS(code, text, call) fails(__LINE__, #call, (code), (text), (call))

enum { PATIENCE_MS = 60000, UPLINK = 0, PF = 2, VF0 = 3, VF1 = 4, BURST = 16, MANY = 40000 };

static void fail(int line, const char *what) {
    fprintf(stderr, "line %d: %s: %s\n", line, what, millrace_error_message());
    exit(1);
}

static void fails(int line, const char *call, int code, const char *text, int given) {
    if (given == code && strstr(millrace_error_message(), text) && strlen(millrace_strerror(code)) > 0)
        return;
    fprintf(stderr, "line %d: %s gave %d (%s), not %d (%s)\n", line, call, given, millrace_error_message(), code, text);
    exit(1);
}

static void wait_for(struct millrace_port *port) {
    struct pollfd fd = {.fd = millrace_port_fd(port), .events = POLLIN};
    CHECK(fd.fd >= 0 && poll(&fd, 1, PATIENCE_MS) == 1);
}

/* The next frame that a port receives. */
static struct millrace_frame next(struct millrace_port *port) {
    struct millrace_frame frame;
    int count;
    while ((count = millrace_port_receive(port, &frame, 1)) == 0) {
        CHECK(millrace_port_check(port) == 0);
        wait_for(port);
    }
    CHECK(count == 1);
    return frame;
}

/* A frame of 60 bytes, told apart by `id`. */
static struct millrace_frame make(struct millrace_port *port, uint8_t id) {
    static const uint8_t header[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    struct millrace_frame frame;
    CHECK(millrace_port_allocate(port, &frame, 1) == 1);
    CHECK(frame.length == 0 && frame.reason == 0xff);
    memset(frame.data, id, 60);
    memcpy(frame.data, header, sizeof header);
    frame.length = 60;
    return frame;
}

static void send_one(struct millrace_port *port, struct millrace_frame frame) {
    int count;
    while ((count = millrace_port_send(port, &frame, 1)) == 0)
        ;
    CHECK(count == 1);
}

static void names_and_arguments(const char *folder) {
    struct millrace_device *device = NULL;
    struct millrace_port *port = NULL;
    char name[4096];
    CHECK(millrace_api_version() == MILLRACE_API_VERSION);
    CHECK(strcmp(millrace_error_message(), "") == 0);
    CHECK(strcmp(millrace_strerror(0), "no error") == 0 && strcmp(millrace_strerror(-99), "there is no such error") == 0);
    FAILS(MILLRACE_E_ARGUMENT, "`name` is NULL", millrace_device_open(NULL, NULL, &device));
    FAILS(MILLRACE_E_ARGUMENT, "`device` is NULL", millrace_device_open("vfio-user:x", NULL, NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`dpu` names no device", millrace_device_open("dpu", NULL, &device));
    FAILS(MILLRACE_E_ARGUMENT, "is no UTF-8", millrace_device_open("\xff", NULL, &device));
    FAILS(MILLRACE_E_ARGUMENT, "is no address of a PCI function", millrace_device_open("vfio:65:00.0", NULL, &device));
    FAILS(MILLRACE_E_NO_DEVICE, "ffff:ff:1f.7: there is no PCI function", millrace_device_open("vfio:ffff:ff:1f.7", NULL, &device));
    FAILS(MILLRACE_E_NO_DEVICE, "none/ecpf.sock: cannot connect", millrace_device_open("vfio-user:none", NULL, &device));
    FAILS(MILLRACE_E_UNSUPPORTED, "was built without `embedded`", millrace_device_open("embedded", NULL, &device));
    FAILS(MILLRACE_E_NO_DEVICE, "cannot connect", millrace_port_open("vfio-user:none", NULL, &port));
    FAILS(MILLRACE_E_ARGUMENT, "`port` is NULL", millrace_port_open("vfio-user:none", NULL, NULL));
    snprintf(name, sizeof name, "vfio-user:%s/ecpf.sock", folder);
    FAILS(MILLRACE_E_FOREIGN, "this is the ECPF, not a PF or VF", millrace_port_open(name, NULL, &port));
    CHECK(device == NULL && port == NULL);

    struct millrace_options options = {.version = MILLRACE_API_VERSION + 1};
    snprintf(name, sizeof name, "vfio-user:%s", folder);
    FAILS(MILLRACE_E_ARGUMENT, "`version` is 2", millrace_device_open(name, &options, &device));
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .flags = 4};
    FAILS(MILLRACE_E_ARGUMENT, "`flags` has unknown bits: 0x4", millrace_device_open(name, &options, &device));
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .queue_size = 70000};
    FAILS(MILLRACE_E_ARGUMENT, "`queue_size` is 70000", millrace_device_open(name, &options, &device));
    options.queue_size = 100;
    FAILS(MILLRACE_E_ARGUMENT, "not a power of two", millrace_device_open(name, &options, &device));
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .frame_bytes = 9217};
    FAILS(MILLRACE_E_ARGUMENT, "buffers for no frame", millrace_device_open(name, &options, &device));
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .image = "/"};
    FAILS(MILLRACE_E_ARGUMENT, "", millrace_device_open(name, &options, &device));
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .flags = MILLRACE_TAKE_OVER};
    FAILS(MILLRACE_E_ARGUMENT, "a port has no tables", millrace_port_open(name, &options, &port));

    FAILS(MILLRACE_E_ARGUMENT, "`device` is NULL", millrace_device_close(NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`device` is NULL", millrace_device_check(NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`device` is NULL", millrace_device_fd(NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`device` is NULL", millrace_rule_flush(NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`port` is NULL", millrace_port_close(NULL));
    FAILS(MILLRACE_E_ARGUMENT, "`port` is NULL", millrace_port_send(NULL, NULL, 0));
}

static void about_vports(struct millrace_device *device) {
    struct millrace_device_info info;
    struct millrace_vport_counters counters;
    struct millrace_function_config config = {.mac = {2, 0, 0, 0, 0, 9}, .mtu = 1500, .link_up = 1};
    uint32_t dropped = 1;
    char name[MILLRACE_VPORT_NAME];
    CHECK(millrace_device_info(device, &info) == 0);
    CHECK(info.uplinks == 2 && info.pfs == 1 && info.vfs == 8 && info.vports == 11 && info.max_frame == 9216);
    CHECK(info.hash_tables > 0 && info.table_rules > 0 && info.tcam_entries > 0 && info.steps > 0 && info.rules == 0);
    CHECK(millrace_vport_name(device, VF1, name) == 0 && strcmp(name, "vf1") == 0);
    CHECK(millrace_vport_number(device, "vf1") == VF1);
    FAILS(MILLRACE_E_NOT_FOUND, "there is no vport 11", millrace_vport_name(device, 11, name));
    FAILS(MILLRACE_E_NOT_FOUND, "there is no vport `vf8`", millrace_vport_number(device, "vf8"));
    FAILS(MILLRACE_E_NOT_FOUND, "there is no vport 11", millrace_vport_counters(device, 11, &counters));
    FAILS(MILLRACE_E_ARGUMENT, "`counters` is NULL", millrace_vport_counters(device, VF0, NULL));
    CHECK(millrace_vport_counters(device, UPLINK, &counters) == 0 && counters.no_buffer == 0);
    CHECK(millrace_upcalls_dropped(device, &dropped) == 0 && dropped == 0);
    CHECK(millrace_function_configure(device, VF0, &config) == 0);
    FAILS(MILLRACE_E_NOT_FOUND, "no PF or VF behind vport 0", millrace_function_configure(device, UPLINK, &config));
    config.mtu = 67;
    FAILS(MILLRACE_E_ARGUMENT, "`mtu` is 67", millrace_function_configure(device, VF1, &config));
    config.mac[0] = 1;
    FAILS(MILLRACE_E_ARGUMENT, "`mac` is a group's address", millrace_function_configure(device, VF1, &config));
}

/* Frames of a VF that go up, and come back out of the buffers in which they came. */
static void about_frames(struct millrace_device *device, struct millrace_port *representor, struct millrace_port *vf) {
    struct millrace_frame frame, others[BURST];
    struct millrace_port *port;
    struct millrace_port_info info;
    struct millrace_vport_counters counters;
    static struct millrace_frame all[MANY];

    CHECK(millrace_port_info(vf, &info) == 0);
    CHECK(info.vport == 0xffffffff && info.link_up == 1 && info.mtu == 1500 && info.mac[5] == 9 && info.frame_bytes == 2000);
    CHECK(millrace_port_info(representor, &info) == 0 && info.vport == VF0 && info.frame_bytes == 2000);
    FAILS(MILLRACE_E_BUSY, "the representor of vport 3 is open", millrace_representor_open(device, VF0, &port));
    FAILS(MILLRACE_E_NOT_FOUND, "there is no vport 11", millrace_representor_open(device, 11, &port));

    for (int id = 0; id < 100; id++) { /* more than there are buffers */
        send_one(vf, make(vf, id));
        frame = next(representor);
        CHECK(frame.length == 60 && frame.data[59] == (uint8_t)id && frame.reason == MILLRACE_REASON_MISS);
        frame.data -= 4; /* a tag in front of the Ethertype, where the frame lies */
        memmove(frame.data, frame.data + 4, 12);
        memcpy(frame.data + 12, "\x81\x00\x00\x07", 4);
        frame.length += 4;
        send_one(representor, frame);
        FAILS(MILLRACE_E_ARGUMENT, "is not the caller's", millrace_port_send(representor, &frame, 1));
        FAILS(MILLRACE_E_ARGUMENT, "is not the caller's", millrace_port_free(representor, &frame, 1));
        frame = next(vf);
        CHECK(frame.length == 64 && frame.data[15] == 7 && frame.data[16] == 0x88 && frame.reason == 0xff);
        CHECK(millrace_port_free(vf, &frame, 1) == 1);
        FAILS(MILLRACE_E_ARGUMENT, "is not the caller's", millrace_port_free(vf, &frame, 1));
    }

    frame = make(vf, 1); /* places that no frame has */
    frame.data -= MILLRACE_HEADROOM + 64;
    FAILS(MILLRACE_E_ARGUMENT, "does not lie in its buffer", millrace_port_send(vf, &frame, 1));
    frame.data += MILLRACE_HEADROOM + 64 + 2000 - 59;
    FAILS(MILLRACE_E_ARGUMENT, "does not lie in its buffer", millrace_port_send(vf, &frame, 1));
    frame.length = 0;
    FAILS(MILLRACE_E_ARGUMENT, "does not lie in its buffer", millrace_port_send(vf, &frame, 1));
    frame.data = NULL;
    FAILS(MILLRACE_E_ARGUMENT, "does not lie in its buffer", millrace_port_send(vf, &frame, 1));
    others[0] = frame;
    others[1] = (struct millrace_frame){.buffer = 1u << 31};
    FAILS(MILLRACE_E_ARGUMENT, "buffer 2147483648 is not the caller's", millrace_port_free(vf, &others[1], 1));
    CHECK(millrace_port_free(vf, others, 2) == 1);
    others[0] = make(vf, 1);
    CHECK(millrace_port_send(vf, others, 2) == 1);
    frame = next(representor);
    CHECK(millrace_port_free(representor, &frame, 1) == 1);

    int free = millrace_port_allocate(vf, all, MANY); /* until there are none left */
    CHECK(free > 0 && free < MANY && millrace_port_allocate(vf, all + free, 1) == 0);
    CHECK(millrace_port_free(vf, all, free) == free);
    FAILS(MILLRACE_E_ARGUMENT, "`frames` is NULL", millrace_port_allocate(vf, NULL, 1));
    FAILS(MILLRACE_E_ARGUMENT, "`frames` is NULL", millrace_port_receive(vf, NULL, 1));
    CHECK(millrace_port_receive(vf, others, BURST) == 0 && millrace_port_send(vf, NULL, 0) == 0);

    CHECK(millrace_vport_counters(device, VF0, &counters) == 0);
    CHECK(counters.packets[MILLRACE_MISS] == 101 && counters.bytes[MILLRACE_MISS] == 101 * 60);
    CHECK(counters.packets[MILLRACE_PACKET_OUT] == 100 && counters.out_packets == 100 && counters.no_buffer == 0);

    CHECK(millrace_port_close(representor) == 0); /* what comes meanwhile is kept */
    FAILS(MILLRACE_E_CLOSED, "the handle was closed", millrace_port_receive(representor, others, BURST));
    FAILS(MILLRACE_E_CLOSED, "the handle was closed", millrace_port_close(representor));
    send_one(vf, make(vf, 77));
    CHECK(millrace_representor_open(device, VF0, &port) == 0);
    frame = next(port);
    CHECK(frame.data[59] == 77 && millrace_port_free(port, &frame, 1) == 1 && millrace_port_close(port) == 0);
}

static void about_rules(struct millrace_device *device, struct millrace_port *vf, struct millrace_port *other) {
    struct millrace_action tag[] = {{.kind = MILLRACE_PUSH_VLAN, .value = 0x81000005}, {.kind = MILLRACE_OUTPUT, .value = VF1}};
    struct millrace_action drop = {.kind = MILLRACE_DROP};
    struct millrace_rule rule = {.key = {.in_port = VF0, .dl_type = 0x88b5}, .mask = {.in_port = 0xff, .dl_type = 0xffff},
                                 .actions = tag, .action_count = 2, .priority = 7};
    struct millrace_rule_counters counters;
    struct millrace_device_info info;
    uint64_t id = 0, second = 0, ids[4];
    uint32_t epoch = 0, later = 0;
    CHECK(millrace_rule_create(device, &rule, &id) == 0 && id != 0);
    FAILS(MILLRACE_E_EXISTS, "has the same key and mask", millrace_rule_create(device, &rule, &second));
    for (int n = 0; n < 5; n++) {
        send_one(vf, make(vf, n));
        struct millrace_frame frame = next(other);
        CHECK(frame.length == 64 && frame.data[12] == 0x81 && frame.data[15] == 5 && frame.data[63] == n);
        CHECK(millrace_port_free(other, &frame, 1) == 1);
    }
    CHECK(millrace_rule_query(device, id, &counters) == 0 && counters.packets == 5 && counters.bytes == 300);
    CHECK(millrace_rule_update(device, id, &drop, 1) == 0);
    rule.mask.nw_proto = 0xff;
    rule.placement = MILLRACE_PLACE_TCAM;
    CHECK(millrace_rule_create(device, &rule, &second) == 0 && second != id);
    CHECK(millrace_device_info(device, &info) == 0 && info.rules == 2);
    CHECK(millrace_rule_list(device, ids, 1) == 2 && (ids[0] == id || ids[0] == second));

    CHECK(millrace_rule_aged(device, 1, ids, 4) == 0);
    CHECK(millrace_epoch_begin(device, &epoch) == 0 && millrace_epoch_begin(device, &later) == 0 && later == epoch + 1);
    CHECK(millrace_rule_aged(device, 3, ids, 4) == 0 && millrace_rule_aged(device, 2, ids, 4) == 2);
    FAILS(MILLRACE_E_ARGUMENT, "`epochs` is 0", millrace_rule_aged(device, 0, ids, 4));
    FAILS(MILLRACE_E_ARGUMENT, "`ids` is NULL", millrace_rule_aged(device, 1, NULL, 4));
    FAILS(MILLRACE_E_ARGUMENT, "`ids` is NULL", millrace_rule_list(device, NULL, 4));

    CHECK(millrace_rule_destroy(device, id) == 0);
    FAILS(MILLRACE_E_NOT_FOUND, "there is no rule", millrace_rule_destroy(device, id));
    FAILS(MILLRACE_E_NOT_FOUND, "there is no rule", millrace_rule_query(device, id, &counters));
    FAILS(MILLRACE_E_NOT_FOUND, "there is no rule", millrace_rule_update(device, id, &drop, 1));
    FAILS(MILLRACE_E_NOT_FOUND, "0x7 names no rule", millrace_rule_destroy(device, 7));
    CHECK(millrace_rule_flush(device) == 1 && millrace_rule_flush(device) == 0);

    rule.key.vlan_ad0 = 2;
    FAILS(MILLRACE_E_ARGUMENT, "`vlan_ad0` has 1 bits", millrace_rule_create(device, &rule, &id));
    rule.key.vlan_ad0 = 0;
    rule.placement = 3;
    FAILS(MILLRACE_E_ARGUMENT, "there is no placement 3", millrace_rule_create(device, &rule, &id));
    rule.placement = MILLRACE_PLACE_AUTO;
    tag[0].kind = 16;
    FAILS(MILLRACE_E_ARGUMENT, "action 0: there is no kind 16", millrace_rule_create(device, &rule, &id));
    tag[0] = (struct millrace_action){.kind = MILLRACE_SET_VLAN_VID, .value = 1};
    FAILS(MILLRACE_E_UNSUPPORTED, "action 0: the packet's own tag cannot be edited", millrace_rule_create(device, &rule, &id));
    tag[0] = (struct millrace_action){.kind = MILLRACE_SET_NW_TTL, .value = 256};
    FAILS(MILLRACE_E_ARGUMENT, "action 0: `value` is 256", millrace_rule_create(device, &rule, &id));
    FAILS(MILLRACE_E_ARGUMENT, "`id` is NULL", millrace_rule_create(device, &rule, NULL));
    rule.actions = NULL;
    FAILS(MILLRACE_E_ARGUMENT, "`actions` is NULL", millrace_rule_create(device, &rule, &id));
}

struct side {
    struct millrace_port *from, *to;
};

/* Sends frames, and waits for each at the other end. */
static void *ping(void *argument) {
    struct side *side = argument;
    for (int id = 0; id < 40; id++) {
        send_one(side->from, make(side->from, id));
        struct millrace_frame frame = next(side->to);
        CHECK(frame.data[59] == (uint8_t)id && millrace_port_free(side->to, &frame, 1) == 1);
    }
    return NULL;
}

/* Two representors and two functions in four threads, and rules in this one. */
static void about_threads(struct millrace_device *device, struct millrace_port *vf[2]) {
    struct millrace_port *representors[2];
    struct millrace_action drop = {.kind = MILLRACE_DROP};
    struct millrace_rule rule = {.key = {.in_port = PF}, .mask = {.in_port = 0xff, .tp_dst = 0xffff}, .actions = &drop, .action_count = 1};
    pthread_t threads[4];
    struct side sides[4];
    for (int i = 0; i < 2; i++) {
        CHECK(millrace_representor_open(device, VF0 + i, &representors[i]) == 0);
        sides[2 * i] = (struct side){vf[i], representors[i]};
        sides[2 * i + 1] = (struct side){representors[i], vf[i]};
    }
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, ping, &sides[i]) == 0);
    for (int n = 0; n < 20; n++) {
        uint64_t id;
        rule.key.tp_dst = n;
        CHECK(millrace_rule_create(device, &rule, &id) == 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(millrace_rule_flush(device) == 20);
}

int main(int argc, char **argv) {
    struct millrace_options options = {.version = MILLRACE_API_VERSION, .flags = MILLRACE_EVENTS, .queue_size = 32, .frame_bytes = 2000};
    struct millrace_device *device, *second;
    struct millrace_port *representor, *silent, *vf[2];
    struct millrace_frame frame;
    uint64_t ids[2], id;
    char name[4096], image[4096];
    if (argc != 2)
        return 2;
    names_and_arguments(argv[1]);

    snprintf(name, sizeof name, "vfio-user:%s", argv[1]);
    CHECK(millrace_device_open(name, &options, &device) == 0);
    FAILS(MILLRACE_E_BUSY, "another client", millrace_device_open(name, &options, &second));
    struct pollfd quiet = {.fd = millrace_device_fd(device), .events = POLLIN};
    CHECK(quiet.fd >= 0 && poll(&quiet, 1, 0) == 0 && millrace_device_check(device) == 0);
    about_vports(device);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "vfio-user:%s/vf%d.sock", argv[1], i);
        CHECK(millrace_port_open(name, &options, &vf[i]) == 0);
    }
    CHECK(millrace_representor_open(device, VF0, &representor) == 0);
    about_frames(device, representor, vf[0]);
    about_rules(device, vf[0], vf[1]);
    about_threads(device, vf);

    CHECK(millrace_representor_open(device, PF, &representor) == 0);
    CHECK(millrace_device_close(device) == 0); /* and its ports with it */
    FAILS(MILLRACE_E_CLOSED, "", millrace_device_close(device));
    FAILS(MILLRACE_E_CLOSED, "", millrace_device_fd(device));
    FAILS(MILLRACE_E_CLOSED, "", millrace_rule_list(device, ids, 2));
    FAILS(MILLRACE_E_CLOSED, "", millrace_port_receive(representor, &frame, 1));
    FAILS(MILLRACE_E_CLOSED, "", millrace_port_fd(representor));
    FAILS(MILLRACE_E_CLOSED, "", millrace_port_close(representor));

    /* Rules that an image keeps; and a device without events. */
    struct millrace_action drop = {.kind = MILLRACE_DROP};
    struct millrace_rule rule = {.mask = {.in_port = 0xff}, .actions = &drop, .action_count = 1};
    snprintf(image, sizeof image, "%s/tables", argv[1]);
    snprintf(name, sizeof name, "vfio-user:%s", argv[1]);
    options = (struct millrace_options){.version = MILLRACE_API_VERSION, .image = image, .queue_size = 64};
    CHECK(millrace_device_open(name, &options, &device) == 0 && millrace_rule_list(device, NULL, 0) == 0);
    CHECK(millrace_rule_create(device, &rule, &id) == 0 && millrace_device_close(device) == 0);
    CHECK(millrace_device_open(name, &options, &device) == 0 && millrace_rule_list(device, ids, 2) == 1);
    FAILS(MILLRACE_E_UNSUPPORTED, "without MILLRACE_EVENTS", millrace_device_fd(device));
    CHECK(millrace_representor_open(device, VF0, &silent) == 0);
    FAILS(MILLRACE_E_UNSUPPORTED, "without MILLRACE_EVENTS", millrace_port_fd(silent));
    CHECK(millrace_rule_flush(device) == 1 && millrace_port_close(silent) == 0 && millrace_device_close(device) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(millrace_port_close(vf[i]) == 0);
    printf("all functions\n");
    return 0;
}
