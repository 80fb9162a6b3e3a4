/* Plans as the store keeps them: what is read back is what would be written. */
#include "base/err.h"
#include "base/json.h"
#include "fuzz.h"
#include "plan/document.h"
#include "plan/plan.h"
#include "plan/steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_JSON json_t *object = NULL;
    struct plan plan, again;
    struct err err = {.code = ERR_NONE};

    if (json_object_parse((const char *)data, size, &object, &err) != 0)
        return 0;
    if (plan_from_json(object, &plan, &err) != 0) {
        REQUIRE(err.code != ERR_NONE);
        return 0;
    }
    CLEANUP_JSON json_t *stored = plan_to_json(&plan);
    REQUIRE(stored != NULL && plan_from_json(stored, &again, &err) == 0);
    REQUIRE(again.count == plan.count && again.forward_from == plan.forward_from);
    plan_free(&again);
    plan_free(&plan);
    return 0;
}
