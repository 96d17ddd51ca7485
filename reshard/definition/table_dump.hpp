#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"
#include "reshard/definition/pg_tools.hpp"
#include "reshard/run_command.hpp"

namespace reshard {

/// One thing that pg_dump has written down: a line of `pg_restore --list`.
struct DumpEntry {
  std::string line;
  std::uint32_t of_class = 0, oid = 0;  ///< in the dumped database; 0: it has none of its own
  std::string kind;                     ///< `TABLE`, `INDEX`, `INDEX ATTACH`, …
  std::string words;                    ///< after it: schema, name, owner
};

/// The definitions of some tables as pg_dump has them, in one file: all of one moment, whatever is
/// used of it later. Every program that is run is waited for. Lives on one thread.
class TableDump {
 public:
  /// `directory`: of its files, which others should not read. `tools`: of a version that can read
  /// the dumped server.
  TableDump(const std::filesystem::path& directory, PgTools tools, CommandLimits limits);

  [[nodiscard]] bool written() const;
  /// Of these relations alone, without rows. A password goes by a file, and never by an argument.
  /// `application`: what the server's list of sessions shows. Throws std::runtime_error with
  /// pg_dump's words, CommandEnded.
  void write(const std::string& url, const std::string& application,
             const std::vector<backends::postgres::Relation>& relations);
  /// In the order in which they are to be made. Throws as `write`.
  [[nodiscard]] const std::vector<DumpEntry>& entries();
  /// Statements that make them, for one transaction of a session that is good for nothing else
  /// afterwards: it has other settings then. `owners`: each object's owner is that of the dumped
  /// one; else the session's user. Throws as `write`.
  [[nodiscard]] std::string sql(const std::vector<DumpEntry>& entries, bool owners) const;

 private:
  void run(const std::string& program, const std::string& words,
           std::vector<std::string> environment = {}) const;

  std::filesystem::path dump_, work_;
  std::vector<DumpEntry> entries_;  // of dump_; empty: not read yet
  PgTools tools_;
  CommandLimits limits_;
};

/// A line of `pg_restore --list`; without a kind: it is none. Pure.
DumpEntry entry_of(const std::string& line);
/// What pg_restore writes for psql, without what psql alone understands. Pure.
std::string without_psql(const std::string& text);

}  // namespace reshard
