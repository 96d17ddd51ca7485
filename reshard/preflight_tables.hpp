#pragma once

#include "reshard/bucket_configs.hpp"
#include "reshard/database.hpp"
#include "reshard/preflight.hpp"
#include "reshard/tables.hpp"

/// The parts of a preflight that are about the tables as such. Each adds to `found`; the sides are
/// connected. Throw SessionError.
namespace reshard {

/// What of one side's table keeps its rows from being moved, or from being watched.
void look_at_table(Database& side, const Table& table, Preflight& found);

/// What is not alike at both sides. What another plan is still making is not looked at.
void look_at_likeness(Database& source, Database& target, const Table& here, const Table& there,
                      Preflight& found);

/// What the target lacks, and how it will get it: by pg_dump, and what tables need beside
/// themselves.
void look_at_missing(const Plan& plan, Database& source, Database& target,
                     const std::vector<BucketConfig>& configs, Preflight& found);

}  // namespace reshard
