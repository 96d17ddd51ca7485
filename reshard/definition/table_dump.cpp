#include "reshard/definition/table_dump.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "backends/postgres/wire/connection_words.hpp"

namespace reshard {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kProblemBytes = 2'000;
/// pg_dump gives up where somebody keeps a table to himself.
constexpr const char* kLockWait = "--lock-wait-timeout=5000";

/// Kinds of more than one word; any other is one.
constexpr std::array<const char*, 12> kLongKinds{
    "CHECK CONSTRAINT",  "DEFAULT ACL",     "FK CONSTRAINT",  "INDEX ATTACH",
    "MATERIALIZED VIEW", "ROW SECURITY",    "SECURITY LABEL", "SEQUENCE OWNED BY",
    "SEQUENCE SET",      "STATISTICS DATA", "TABLE ATTACH",   "TABLE DATA"};

/// For the owner of the process alone.
void write_private(const fs::path& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
  const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(file);
  if (!whole) throw std::system_error(error, std::generic_category(), path.string());
}

std::string text_in(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kWork = "definitions.work";

/// A directory for what is on its way, which goes with the object. Its name is this process's own:
/// a program that has outlived another coordinator writes to no file of this one.
class WorkDirectory {
 public:
  explicit WorkDirectory(fs::path path) : path_(std::move(path)) {
    for (const auto& each : fs::directory_iterator(path_.parent_path()))
      if (each.path().filename().string().starts_with(kWork)) fs::remove_all(each.path());
    fs::create_directory(path_);
    fs::permissions(path_, fs::perms::owner_all);
  }
  ~WorkDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

 private:
  fs::path path_;
};

}  // namespace

TableDump::TableDump(const fs::path& directory, PgTools tools, CommandLimits limits)
    : dump_(directory / "definitions.dump"), work_(directory / (kWork + std::to_string(getpid()))),
      tools_(std::move(tools)), limits_(std::move(limits)) {}

bool TableDump::written() const { return fs::exists(dump_); }

void TableDump::run(const std::string& program, const std::string& words,
                    std::vector<std::string> environment) const {
  CommandLimits limits = limits_;
  // Its words are shown to people as they are; a database's texts go through unchanged.
  for (const char* each : {"PGCLIENTENCODING=UTF8", "LC_MESSAGES=C"})
    limits.environment.emplace_back(each);
  for (std::string& each : environment) limits.environment.push_back(std::move(each));
  const fs::path problems = work_ / "problems";
  const std::string command = "exec " + shell_quoted((tools_.directory / program).string()) + " " +
                              words + " 2>" + shell_quoted(problems.string());
  if (run_command(command, "", limits) == 0) return;
  std::string said = text_in(problems).substr(0, kProblemBytes);
  std::replace(said.begin(), said.end(), '\n', ' ');
  throw std::runtime_error(program + ": " + said);
}

void TableDump::write(const std::string& url, const std::string& application,
                      const std::vector<backends::postgres::Relation>& relations) {
  const WorkDirectory work(work_);
  const auto connection = backends::postgres::connection_words(url);
  std::vector<std::string> environment{"PGAPPNAME=" + application};
  if (!connection.password.empty()) {
    write_private(work_ / "password", backends::postgres::password_line(connection.password));
    environment.push_back("PGPASSFILE=" + (work_ / "password").string());
  }
  const fs::path made = work_ / "dump";
  std::string words = std::string("--format=custom --schema-only --no-password ") + kLockWait +
                      " --dbname=" + shell_quoted(connection.words) +
                      " --file=" + shell_quoted(made.string());
  for (const auto& each : relations) words += " --table=" + shell_quoted(each.sql());
  run("pg_dump", words, std::move(environment));
  entries_.clear();
  fs::rename(made, dump_);
}

const std::vector<DumpEntry>& TableDump::entries() {
  if (!entries_.empty()) return entries_;
  const WorkDirectory work(work_);
  const fs::path list = work_ / "list";
  run("pg_restore",
      "--list --file=" + shell_quoted(list.string()) + " " + shell_quoted(dump_.string()));
  std::vector<DumpEntry> entries;
  std::ifstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    DumpEntry entry = entry_of(line);
    if (!entry.kind.empty()) entries.push_back(std::move(entry));
  }
  return entries_ = std::move(entries);
}

std::string TableDump::sql(const std::vector<DumpEntry>& entries, bool owners) const {
  if (entries.empty()) return "";
  const WorkDirectory work(work_);
  std::string lines;
  for (const DumpEntry& each : entries) lines += each.line + "\n";
  const fs::path chosen = work_ / "chosen", text = work_ / "sql";
  write_private(chosen, lines);
  run("pg_restore", std::string(owners ? "" : "--no-owner ") + "--no-tablespaces --use-list=" +
                        shell_quoted(chosen.string()) + " --file=" + shell_quoted(text.string()) +
                        " " + shell_quoted(dump_.string()));
  return without_psql(text_in(text));
}

/// `215; 1259 16390 TABLE public things moray`.
DumpEntry entry_of(const std::string& line) {
  DumpEntry entry;
  std::istringstream words(line);
  int id = 0;
  char semicolon = 0;
  if (line.starts_with(";") || !(words >> id >> semicolon >> entry.of_class >> entry.oid) ||
      semicolon != ';')
    return {};
  std::string rest;
  std::getline(words >> std::ws, rest);
  for (const char* each : kLongKinds)
    if (rest.starts_with(std::string(each) + " ")) entry.kind = each;
  if (entry.kind.empty()) entry.kind = rest.substr(0, rest.find(' '));
  entry.words = rest.size() > entry.kind.size() ? rest.substr(entry.kind.size() + 1) : "";
  entry.line = line;
  return entry;
}

/// `\restrict KEY` and, with the same random key, `\unrestrict KEY`: since the minors of 2025.
std::string without_psql(const std::string& text) {
  const std::string begin = "\\restrict ", end = "\\unrestrict ";
  std::string key, kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (key.empty() && line.starts_with(begin)) {
      key = line.substr(begin.size());
      continue;
    }
    if (!key.empty() && line == end + key) continue;
    kept += line + "\n";
  }
  return kept;
}

}  // namespace reshard
