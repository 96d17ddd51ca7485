#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "reshard/definition/needs.hpp"
#include "reshard/definition/table_dump.hpp"

namespace reshard {

/// In the order in which they are made.
enum class DefinitionPart : std::uint8_t {
  tables,   ///< with what they need, their primary keys, and indexes by vnode
  indexes,  ///< that exclude no row
  rest,     ///< unique indexes, constraints, triggers, policies, rules, grants, comments
};

/// Tables of a source that its target lacks: written down by pg_dump, all in one moment, and then
/// made at the target as they were, part by part; each part as often as anybody likes, since what
/// is there is left alone. Lives on one thread.
class Definitions {
 public:
  /// `directory`: the plan's. `application`: of the sessions that make them.
  Definitions(const std::filesystem::path& directory, PgTools tools, CommandLimits limits,
              std::string application)
      : dump_(directory, std::move(tools), std::move(limits)),
        application_(std::move(application)) {}

  [[nodiscard]] bool written() const { return dump_.written(); }
  /// Throws SessionError, std::runtime_error with pg_dump's words, CommandEnded.
  void write(const std::string& source_url, const std::vector<backends::postgres::Relation>& names);
  /// Tables of the dump, by their oid at the source. Throws as `write`.
  std::set<std::uint32_t> tables();
  /// All parts up to that one. False: they were all there. `source`, `target`: sessions that are
  /// looked over; what lacks is made over one of its own, in one transaction. Throws as `write`.
  bool make(DefinitionPart last, backends::postgres::Session& source,
            backends::postgres::Session& target, const std::string& target_url);

 private:
  struct Source {
    std::vector<DumpEntry> entries;
    std::vector<std::string> relations;  // tables and sequences, as SQL has them
    std::vector<std::uint32_t> oids;     // of those
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> keys;
    std::map<std::uint32_t, DefinitionPart> parts;      // of indexes and their constraints
    std::map<std::string, DefinitionPart> attachments;  // by an index's schema and name
    bool owners = false;
  };
  Source read(backends::postgres::Session& source);
  static DefinitionPart part_of(const DumpEntry& entry, const Source& source);

  TableDump dump_;
  std::string application_;
};

}  // namespace reshard
