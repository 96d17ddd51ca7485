#include "reshard/definition/pg_tools.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <vector>

namespace reshard {
namespace {

namespace fs = std::filesystem;

/// Where packages put them, a directory for each version.
constexpr const char* kPackages[] = {"/usr/lib/postgresql", "/opt/local/lib/postgresql", "/usr"};

/// Of `/usr/lib/postgresql/15/bin`, `/usr/pgsql-15/bin`; 0: its name tells none.
int named_version(const fs::path& directory) {
  const std::string name = directory.parent_path().filename().string();
  const std::size_t at = name.find_first_of("0123456789");
  return at == std::string::npos ? 0 : std::atoi(name.c_str() + at);
}

std::vector<fs::path> directories() {
  std::vector<fs::path> all;
  std::error_code ignored;
  for (const char* each : kPackages)
    for (const auto& entry : fs::directory_iterator(each, ignored)) {
      const bool of_version =
          std::string(each) != "/usr" || entry.path().filename().string().starts_with("pgsql-");
      if (of_version) all.push_back(entry.path() / "bin");
    }
  std::stable_sort(all.begin(), all.end(), [](const fs::path& one, const fs::path& other) {
    return named_version(one) > named_version(other);
  });
  const char* path = std::getenv("PATH");
  std::istringstream words(path == nullptr ? "" : path);
  for (std::string each; std::getline(words, each, ':');)
    if (!each.empty()) all.emplace_back(each);
  return all;
}

/// Of `pg_dump (PostgreSQL) 15.4 (Debian 15.4-1)`; nullopt: it is no pg_dump.
std::optional<int> major_of(const fs::path& pg_dump) {
  const std::string command = shell_quoted(pg_dump.string()) + " --version 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  char line[200] = "";
  if (output == nullptr || std::fgets(line, sizeof line, output.get()) == nullptr)
    return std::nullopt;
  const std::string text = line;
  const std::size_t at = text.find(") ");
  const int major = at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 2);
  return major > 0 ? std::optional(major) : std::nullopt;
}

}  // namespace

std::optional<PgTools> find_pg_tools(const std::string& directory, int server_major) {
  std::optional<PgTools> newest;
  for (const fs::path& each :
       directory.empty() ? directories() : std::vector<fs::path>{fs::path(directory)}) {
    if (access((each / "pg_dump").c_str(), X_OK) != 0 ||
        access((each / "pg_restore").c_str(), X_OK) != 0)
      continue;
    const auto major = major_of(each / "pg_dump");
    if (major && (!newest || *major > newest->major)) newest = PgTools{each, *major};
    if (newest && newest->major >= server_major) break;
  }
  return newest;
}

std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace reshard
