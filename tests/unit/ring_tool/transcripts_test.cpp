// Every recorded command line of node-fash, in order, in a directory of its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include <leveldb/db.h>
#include <nlohmann/json.hpp>

#include "ring_tool/run.hpp"
#include "tests/support/test_data.hpp"

using namespace test_support;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<leveldb::DB> open(const std::string& directory) {
  leveldb::DB* db = nullptr;
  REQUIRE_MESSAGE(leveldb::DB::Open({}, directory, &db).ok(), directory);
  return std::unique_ptr<leveldb::DB>(db);
}

/// What the recording did to a directory between two commands.
class Steps {
 public:
  void perform(const std::string& step) {
    std::smatch parts;
    if (std::regex_match(step, parts, std::regex(R"(delete key (\S+)(?: \(.*\))? from (\S+))"))) {
      open(parts[2])->Delete({}, parts[1].str());
    } else if (std::regex_match(
                   step, parts,
                   std::regex(R"(put (\S+) = (.*?)(?: \(a JSON number\))? in (\S+))"))) {
      const std::string value = parts[2] == "the three bytes {a}" ? "{a}" : parts[2].str();
      open(parts[3])->Put({}, parts[1].str(), value);
    } else if (
        std::regex_match(
            step, parts,
            std::regex(
                R"(remove (?:the (?:file )?(\S+)(?: file)?|(all files)) (?:from|of directory) (\S+))"))) {
      for (const auto& entry : fs::directory_iterator(parts[3].str()))
        if (parts[2].matched || entry.path().filename().string().starts_with(parts[1].str()))
          fs::remove(entry.path());
    } else if (step == "make plainfile, an ordinary file") {
      std::ofstream("plainfile") << "x";
    } else if (std::regex_match(step, parts,
                                std::regex(R"(another process now holds (\S+) open)"))) {
      held_ = open(parts[1]);
    } else {
      CHECK_MESSAGE(step.find("now") != std::string::npos, step);  // what node-fash left behind
    }
  }

 private:
  std::unique_ptr<leveldb::DB> held_;
};

/// The defects of node-fash that are mended, and other listed differences: why, by set and number.
std::map<std::string, std::string> mended() {
  std::map<std::string, std::string> reasons;
  for (const std::string& line : read_lines(data_path("ring/cli/mended.txt"))) {
    if (line[0] == '#') continue;
    const std::size_t tab = line.find('\t');
    reasons[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return reasons;
}

/// Topologies are compared as JSON, all else as text; of help only that it is there.
bool same_output(const std::string& expected, const std::string& actual) {
  if (expected == actual) return true;
  if (expected.find("usage:") != std::string::npos)
    return actual.find("usage:") != std::string::npos;
  std::istringstream a(expected), b(actual);
  for (std::string one, other;;) {
    const bool more = static_cast<bool>(std::getline(a, one));
    if (more != static_cast<bool>(std::getline(b, other))) return false;
    if (!more) return true;
    if (one == other) continue;
    const Json left = Json::parse(one, nullptr, false), right = Json::parse(other, nullptr, false);
    if (left.is_discarded() || left != right) return false;
  }
}

Json rows_of(const std::string& directory) {
  Json rows = Json::array();
  const auto db = open(directory);
  const std::unique_ptr<leveldb::Iterator> each(db->NewIterator({}));
  for (each->SeekToFirst(); each->Valid(); each->Next())
    rows.push_back({each->key().ToString(), each->value().ToString()});
  return rows;
}

}  // namespace

TEST_CASE("ring tool: node-fash's transcripts, command by command") {
  const auto reasons = mended();
  std::set<std::string> used;
  std::unique_ptr<TemporaryDirectory> directory;
  std::unique_ptr<Steps> steps;
  std::string set;
  const fs::path before = fs::current_path();
  const auto lines = read_lines(data_path("ring/cli/cases.jsonl.gz"));
  CHECK(lines.size() == 536);
  std::size_t runs = 0;
  for (const std::string& line : lines) {
    const Json row = Json::parse(line);
    if (row["set"] != set) {
      set = row["set"];
      steps = std::make_unique<Steps>();
      fs::current_path(before);
      directory = std::make_unique<TemporaryDirectory>();
      fs::current_path(directory->path());
    }
    const std::string name = set + "/" + std::to_string(row["seq"].get<int>());
    CAPTURE(name);
    const bool differs = reasons.contains(name);
    if (differs) used.insert(name);
    if (row["kind"] == "file") {
      std::ofstream(row["file"].get<std::string>()) << row["content"].get<std::string>();
    } else if (row["kind"] == "step") {
      steps->perform(row["step"]);
    } else if (row["kind"] == "leveldb-content") {
      const bool there = fs::exists(row["dir"].get<std::string>());
      const bool same = there && rows_of(row["dir"]) == row["rows"];
      CAPTURE(row["rows"].dump());
      if (there && !differs) CAPTURE(rows_of(row["dir"]).dump());
      CHECK(same == !differs);
    } else {
      ++runs;
      std::istringstream in(row["stdin"].is_null() ? "" : row["stdin"].get<std::string>());
      std::ostringstream out, err;
      const int code = ring_tool::run(row["argv"].get<std::vector<std::string>>(), {in, out, err});
      if (!row["stdout_saved_as"].is_null())
        std::ofstream(row["stdout_saved_as"].get<std::string>()) << out.str();
      CAPTURE(line.substr(0, 300));
      CAPTURE(out.str());
      CAPTURE(err.str());
      CHECK((code == row["exit"] && same_output(row["stdout"], out.str())) == !differs);
      const std::string said = err.str();
      CHECK(said.empty() == (code == 0));
      if (code != 0) {
        CHECK(said.starts_with("fash: "));
        CHECK(std::count(said.begin(), said.end(), '\n') == 1);
      }
    }
  }
  fs::current_path(before);
  CHECK(runs == 456);
  for (const auto& [name, reason] : reasons) CHECK_MESSAGE(used.contains(name), name);
}
