/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A device in the program's own process: a frame goes from one VF to another, through the slow path and then through the hardware. */
#include <millrace.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : fail(__LINE__, #what))

enum { VF0 = 3, VF1 = 4 };

static void fail(int line, const char *what) {
    fprintf(stderr, "line %d: %s: %s\n", line, what, millrace_error_message());
    exit(1);
}

static struct millrace_frame next(struct millrace_port *port) {
    struct millrace_frame frame;
    int count;
    while ((count = millrace_port_receive(port, &frame, 1)) == 0)
        ;
    CHECK(count == 1);
    return frame;
}

static void *elsewhere(void *device) {
    struct millrace_port *port;
    struct millrace_frame frame;
    CHECK(millrace_device_check(device) == MILLRACE_E_THREAD);
    CHECK(millrace_rule_flush(device) == 0); /* there are none: nothing of the device is touched */
    CHECK(millrace_representor_open(device, VF0, &port) == 0);
    CHECK(millrace_port_receive(port, &frame, 1) == MILLRACE_E_THREAD);
    CHECK(millrace_port_send(port, NULL, 0) == MILLRACE_E_THREAD);
    CHECK(millrace_port_close(port) == 0);
    CHECK(millrace_port_open("embedded:vf0", NULL, &port) == MILLRACE_E_NO_DEVICE);
    return NULL;
}

int main(void) {
    struct millrace_device *device, *second;
    struct millrace_port *vf0, *vf1, *from, *to, *none;
    struct millrace_action out = {.kind = MILLRACE_OUTPUT, .value = VF1};
    struct millrace_rule rule = {.key = {.in_port = VF0}, .mask = {.in_port = 0xff}, .actions = &out, .action_count = 1};
    struct millrace_rule_counters counters;
    pthread_t thread;
    uint64_t id;
    CHECK(millrace_port_open("embedded:vf0", NULL, &none) == MILLRACE_E_NO_DEVICE);
    CHECK(millrace_device_open("embedded:vf0", NULL, &device) == MILLRACE_E_ARGUMENT);
    CHECK(millrace_device_open("embedded", NULL, &device) == 0);
    CHECK(millrace_device_open("embedded", NULL, &second) == MILLRACE_E_BUSY);
    CHECK(millrace_port_open("embedded:vf0", NULL, &vf0) == 0 && millrace_port_open("embedded:vf1", NULL, &vf1) == 0);
    CHECK(millrace_port_open("embedded:vf1", NULL, &none) == MILLRACE_E_BUSY);
    CHECK(millrace_port_open("embedded:p0", NULL, &none) == MILLRACE_E_NOT_FOUND);
    CHECK(pthread_create(&thread, NULL, elsewhere, device) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(millrace_representor_open(device, VF0, &from) == 0 && millrace_representor_open(device, VF1, &to) == 0);
    for (int n = 0; n < 4; n++) {
        struct millrace_frame frame;
        CHECK(millrace_port_allocate(vf0, &frame, 1) == 1);
        memset(frame.data, n, 60);
        frame.length = 60;
        CHECK(millrace_port_send(vf0, &frame, 1) == 1);
        if (n == 0) {
            frame = next(from);
            CHECK(frame.reason == MILLRACE_REASON_MISS);
            CHECK(millrace_rule_create(device, &rule, &id) == 0 && millrace_port_send(to, &frame, 1) == 1);
        }
        frame = next(vf1);
        CHECK(frame.length == 60 && frame.data[59] == n && millrace_port_free(vf1, &frame, 1) == 1);
    }
    CHECK(millrace_rule_query(device, id, &counters) == 0 && counters.packets == 3);
    CHECK(millrace_port_close(vf0) == 0 && millrace_port_open("embedded:vf0", NULL, &vf0) == 0);
    CHECK(millrace_device_close(device) == 0);
    printf("embedded\n");
    return 0;
}
