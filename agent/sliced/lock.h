/* One agent for each state folder. */
#ifndef SLICENODE_SLICED_LOCK_H
#define SLICENODE_SLICED_LOCK_H

/* A descriptor that holds the lock; exits when another agent has it. */
int state_lock(const char *folder);

#endif
