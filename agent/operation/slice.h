/* What is done with a slice: start, stop, reboot, pause, unpause, terminate. */
#ifndef SLICENODE_OPERATION_SLICE_H
#define SLICENODE_OPERATION_SLICE_H

#include "base/err.h"
#include "model/nic.h"
#include "model/slice.h"
#include "operation/task.h"
#include "plan/facts.h"

#include <jansson.h>
#include <stdint.h>

/* Whether the slice has a domain now, and whether that has ended. */
int task_find_domain(struct task *task, const char *slice, struct plan_facts *facts,
                     struct err *err);

int slice_prepare_run(struct task *task, struct slice *slice, struct plan_facts *facts,
                      struct err *err);
int slice_prepare_pause(struct task *task, struct slice *slice, struct plan_facts *facts,
                        struct err *err);
int slice_prepare_terminate(struct task *task, struct slice *slice, struct plan_facts *facts);

/* The slice has another domain, or none: -1. */
void slice_domain_started(struct task *task, int domain_id);
void slice_disk_swapped(struct task *task, uint32_t thin_id);
void slice_volume_removed(struct task *task, uint32_t thin_id);

void slice_done(struct task *task, json_t **result);
void slice_terminated(struct task *task);
void slice_failed(struct task *task);

#endif
