/* Clocks, and times as text. */
#ifndef SLICENODE_BASE_CLOCK_H
#define SLICENODE_BASE_CLOCK_H

#include <stdint.h>

#define TIME_TEXT_BYTES 25 /* 2026-01-02T03:04:05.678Z and the terminator */

uint64_t monotonic_ms(void);
/* Milliseconds since 1970, UTC. */
int64_t wall_ms(void);
void time_format(int64_t wall_time_ms, char text[static TIME_TEXT_BYTES]);
/* RFC 3339 with `Z`; -1 when malformed. */
int time_parse(const char *text, int64_t *wall_time_ms);

#endif
