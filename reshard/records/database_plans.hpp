#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "reshard/records/plans.hpp"
#include "reshard/records/tables.hpp"

namespace reshard {

/// Plans that are kept in the databases of a configuration's PostgreSQL shards, so that any host
/// that has the configuration finds them. Where a plan's databases are is the configuration's to
/// say, with the passwords.
class DatabasePlans : public Plans {
 public:
  /// `directory`: of this host, for files that may go at any time. `words`: what another command
  /// needs to find the same plans.
  DatabasePlans(const config::Config& config, std::filesystem::path directory, std::string words);

  /// Asks all shards at once; those that don't answer within about two seconds are `unseen`.
  [[nodiscard]] std::vector<std::uint64_t> numbers() override;
  [[nodiscard]] Journal open(std::uint64_t number) override;
  using Plans::create;
  Journal create(const Plan& plan, const std::optional<Begun>& begun) override;
  void forget(const Plan& plan, backends::postgres::Session& side) override {
    kept::forget(side, plan);
  }
  [[nodiscard]] std::vector<std::string> unseen() const override { return unseen_; }
  /// All of them: two hosts may plan at once, between other shards.
  [[nodiscard]] std::vector<Side> numbered_with(const Side& from, const Side& to) const override;
  [[nodiscard]] std::uint64_t last_number() override;
  /// By a lock at every shard: without one of them its plans can't be looked at.
  [[nodiscard]] std::unique_ptr<LockTurn> lock_turn() override;
  [[nodiscard]] std::string words() const override { return words_; }
  [[nodiscard]] std::string place_of(const Plan& plan) const override;

 private:
  void look();
  [[nodiscard]] Plan whole(const kept::Definition& definition) const;
  [[nodiscard]] Journal journal_of(const Plan& plan);

  std::vector<Side> shards_;
  const config::Config config_;
  std::filesystem::path directory_;
  std::string words_;
  std::map<std::uint64_t, std::vector<kept::Definition>> found_;  // by token one each
  std::vector<std::string> unseen_;
};

}  // namespace reshard
