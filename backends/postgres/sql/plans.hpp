#pragma once

/// What changes of buckets and plans of resharding know of each other (docs/resharding.md, changes
/// of buckets).
namespace backends::postgres {

/// An advisory lock of each database, by this number and 0: who makes a plan's rows has it
/// alone, who changes buckets shares it until the change is committed.
inline constexpr int kPlansLock = 0x6d727763;

/// States of a plan's row in which buckets may not change, as a list for SQL's IN.
inline constexpr const char* kPlansUnderWay = "('preparing', 'capturing', 'fenced', 'guarded')";

}  // namespace backends::postgres
