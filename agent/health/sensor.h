/* Temperatures and fans, as Linux's hwmon shows them. */
#ifndef SLICENODE_HEALTH_SENSOR_H
#define SLICENODE_HEALTH_SENSOR_H

#include <stdbool.h>
#include <stddef.h>

/* Of what is too hot, for people; with more sensors the rest is cut. */
#define SENSOR_TEXT_BYTES 400

/* Fills `text` with what is wrong now, empty when nothing is. `folder`: /sys/class/hwmon. Reading
 * some sensors asks a disk: to be called in a process of its own. */
void sensors_read(const char *folder, char text[static SENSOR_TEXT_BYTES]);

/* Whether this temperature, in thousandths of a degree, is at its critical bound; bounds that no
 * machine can have are what an unconnected sensor says. Pure. */
bool sensor_is_critical(long value, long bound);

#endif
