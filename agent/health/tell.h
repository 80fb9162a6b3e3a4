/* What is wrong, in the way of the boot scripts: a file in RUN_DIR/problems, which the agent tells
 * the controller and the screen shows. */
#ifndef SLICENODE_HEALTH_TELL_H
#define SLICENODE_HEALTH_TELL_H

/* Says the one thing that is wrong with `area`; NULL: nothing is. */
void tell(const char *run_dir, const char *area, const char *code, const char *message);

#endif
