/* Time. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define YEAR_10000_MS INT64_C(253402300800000)

uint64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void time_format(int64_t wall_time_ms, char text[static TIME_TEXT_BYTES])
{
    int64_t clamped = wall_time_ms < 0               ? 0
                      : wall_time_ms < YEAR_10000_MS ? wall_time_ms
                                                     : YEAR_10000_MS - 1;
    time_t seconds = (time_t)(clamped / 1000);
    char whole[TIME_TEXT_BYTES];
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, TIME_TEXT_BYTES, "%.19s.%03dZ", whole, (int)(clamped % 1000));
}

/* Takes exactly `count` digits. */
static bool take_digits(const char **text, int count, int *value)
{
    *value = 0;
    for (; count > 0; count--, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool take_character(const char **text, char character)
{
    if (**text != character)
        return false;
    (*text)++;
    return true;
}

/* An optional fraction of a second; what is finer than a millisecond is dropped. */
static bool take_fraction(const char **text, int *milliseconds)
{
    int digits = 0, scale = 100;

    *milliseconds = 0;
    if (**text != '.')
        return true;
    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, digits++) {
        *milliseconds += (**text - '0') * scale;
        scale /= 10;
    }
    return digits > 0 && digits <= 9;
}

int time_parse(const char *text, int64_t *wall_time_ms)
{
    struct tm parts = {0};
    struct tm normal;
    int milliseconds;
    time_t seconds;

    if (!take_digits(&text, 4, &parts.tm_year) || !take_character(&text, '-') ||
        !take_digits(&text, 2, &parts.tm_mon) || !take_character(&text, '-') ||
        !take_digits(&text, 2, &parts.tm_mday) || !take_character(&text, 'T') ||
        !take_digits(&text, 2, &parts.tm_hour) || !take_character(&text, ':') ||
        !take_digits(&text, 2, &parts.tm_min) || !take_character(&text, ':') ||
        !take_digits(&text, 2, &parts.tm_sec) || !take_fraction(&text, &milliseconds) ||
        !take_character(&text, 'Z') || *text)
        return -1;
    if (parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 ||
        parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 59)
        return -1;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    normal = parts;
    seconds = timegm(&normal);
    /* The 30th of February comes back as another day. */
    if (normal.tm_mday != parts.tm_mday)
        return -1;
    *wall_time_ms = (int64_t)seconds * 1000 + milliseconds;
    return 0;
}
