#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "reshard/backfill.hpp"
#include "reshard/cli/commands.hpp"
#include "reshard/progress_bar.hpp"
#include "ring/durable_file.hpp"
#include "ring/location.hpp"

namespace reshard::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMisplaced = 4, kInterrupted = 130;

struct BackfillWords {
  std::string config;
  std::vector<std::string> pnodes;
  std::string journal, report;
  BackfillOptions backfill;
};

volatile std::sig_atomic_t backfill_interrupted = 0;

/// Positions by pnode. Rewritten whole, so that a crash leaves the old or the new one.
class BackfillJournal {
 public:
  explicit BackfillJournal(std::string path) : path_(std::move(path)) {
    if (path_.empty() || !fs::exists(path_)) return;
    std::ifstream file(path_);
    positions_ = nlohmann::json::parse(file);
  }
  [[nodiscard]] BackfillPosition of(const std::string& pnode) const {
    const auto found = positions_.find(pnode);
    if (found == positions_.end()) return {};
    return {found->at("bucket").get<std::string>(), found->at("key").get<std::string>()};
  }
  /// All of it is done: the next run begins anew.
  void forget(const std::string& pnode) {
    if (path_.empty() || positions_.erase(pnode) == 0) return;
    ring::durable::write(path_, positions_.dump(2) + "\n");
  }
  void note(const std::string& pnode, const BackfillPosition& position) {
    if (path_.empty()) return;
    positions_[pnode] = {{"bucket", position.bucket}, {"key", position.key}};
    ring::durable::write(path_, positions_.dump(2) + "\n");
  }

 private:
  std::string path_;
  nlohmann::json positions_ = nlohmann::json::object();
};

std::vector<config::Shard> shards_of(const config::Config& config, const ring::Ring& ring,
                                     const std::vector<std::string>& wanted) {
  const auto pnodes = ring.pnodes();
  auto resolved = config::resolve_shards(config, {pnodes.begin(), pnodes.end()});
  if (!resolved.problems.empty()) throw std::runtime_error(config::to_text(resolved.problems));
  std::vector<config::Shard> shards;
  for (const config::Shard& shard : resolved.shards)
    if (shard.backend == config::Backend::postgres &&
        (wanted.empty() || std::find(wanted.begin(), wanted.end(), shard.pnode) != wanted.end()))
      shards.push_back(shard);
  for (const std::string& name : wanted)
    if (std::none_of(shards.begin(), shards.end(),
                     [&](const config::Shard& shard) { return shard.pnode == name; }))
      throw std::runtime_error("pnode \"" + name +
                               "\" is not a PostgreSQL shard of this configuration");
  if (shards.empty()) throw std::runtime_error("the configuration has no PostgreSQL shard");
  return shards;
}

/// One shard; its bar by bucket, its counts at the end.
BackfillCounts run_shard(const config::Shard& shard, const ring::Ring& ring,
                         const BackfillWords& options, BackfillJournal& journal,
                         std::ostream* report) {
  std::optional<ProgressBar> progress;
  BackfillTold told;
  told.bucket = [&](const std::string& bucket, std::uint64_t rows) {
    progress.reset();
    progress.emplace(shard.pnode + " " + bucket, "rows", rows);
  };
  told.page = [&](std::uint64_t rows) { progress->add(rows); };
  told.misplaced = [&](const MisplacedRow& row) {
    if (report != nullptr)
      *report << nlohmann::json{{"pnode", shard.pnode},
                                {"bucket", row.bucket},
                                {"key", row.key},
                                {"vnode", row.vnode},
                                {"owner", row.owner}}
                     .dump()
              << '\n';
  };
  told.position = [&](const BackfillPosition& position) {
    if (!options.backfill.dry_run) journal.note(shard.pnode, position);
  };
  told.stopped = [] { return backfill_interrupted != 0; };
  backends::postgres::Session session(shard.url, "moray-router backfill-vnodes");
  return backfill_vnodes(session, ring, shard.pnode, options.backfill, journal.of(shard.pnode),
                         told);
}

int backfill(BackfillWords options) {
  const config::Parsed parsed = config::load_file(options.config);
  if (!parsed.problems.empty()) throw std::runtime_error(config::to_text(parsed.problems));
  const config::Config& config = parsed.config;
  const auto located = ring::load_location(config.ring_location);
  for (const auto* names : {&config.buckets.local, &config.buckets.derived})
    options.backfill.skip.insert(options.backfill.skip.end(), names->begin(), names->end());
  BackfillJournal journal(options.journal);
  std::ofstream report;
  if (!options.report.empty()) {
    report.open(options.report);
    if (!report) throw std::runtime_error(options.report + ": cannot be written");
  }
  std::signal(SIGINT, [](int) { backfill_interrupted = 1; });
  std::signal(SIGTERM, [](int) { backfill_interrupted = 1; });
  std::uint64_t misplaced = 0;
  for (const config::Shard& shard : shards_of(config, *located.ring, options.pnodes)) {
    const BackfillCounts counts =
        run_shard(shard, *located.ring, options, journal, report.is_open() ? &report : nullptr);
    std::cout << nlohmann::json{{"pnode", shard.pnode},
                                {"rows", counts.looked_at},
                                {"withoutVnode", counts.missing},
                                {"set", counts.set},
                                {"misplaced", counts.misplaced}}
                     .dump()
              << std::endl;
    misplaced += counts.misplaced;
    if (backfill_interrupted == 0) journal.forget(shard.pnode);
    if (backfill_interrupted != 0) {
      std::cerr << "interrupted; what is done stays done: run it again to go on" << std::endl;
      return kInterrupted;
    }
  }
  if (misplaced == 0) return 0;
  std::cerr << misplaced
            << " rows without a vnode are on a shard that does not own theirs; they were left alone"
            << (options.report.empty() ? " (--report FILE lists them)" : "") << std::endl;
  return kMisplaced;
}

}  // namespace

void add_backfill_vnodes(CLI::App& ring, int& exit_code) {
  auto options = std::make_shared<BackfillWords>();
  CLI::App* command = ring.add_subcommand("backfill-vnodes",
                                          "Gives rows of routed buckets that have no _vnode "
                                          "theirs, in the PostgreSQL shards of a configuration");
  command->set_help_flag("-h,--help", "Print this help message and exit");
  command
      ->add_option("-c,--config", options->config,
                   "The router's configuration: ring, shards, buckets")
      ->required();
  command->add_option("--pnode", options->pnodes, "Only this shard; may be repeated");
  command->add_option("--bucket", options->backfill.only, "Only this bucket; may be repeated");
  command
      ->add_option("--rows-per-second", options->backfill.rows_per_second,
                   "Rows written a second, at most; 0: any")
      ->capture_default_str();
  command->add_option("--journal", options->journal,
                      "A file that holds how far it has come; the next run goes on from there");
  command->add_option("--report", options->report,
                      "A file for rows that another shard should have: a JSON object a line");
  command->add_flag("--dry-run", options->backfill.dry_run, "Count, and change nothing");
  command->callback([options, &exit_code] {
    try {
      exit_code = backfill(*options);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "moray-router: %s\n", error.what());
      exit_code = 1;
    }
  });
}

}  // namespace reshard::cli
