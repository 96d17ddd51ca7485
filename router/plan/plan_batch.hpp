#pragma once

#include <string_view>

#include "json/document.hpp"
#include "router/plan/plan.hpp"

namespace router {

/// Plans a batch: electric-moray's checks in its order, one transformed key for all requests, and,
/// in `edits`, the vnode in each put's value.
Decision plan_batch(std::string_view payload, json::Value requests, const Snapshot& snapshot,
                    PlanScratch& scratch, Edits& edits);

}  // namespace router
