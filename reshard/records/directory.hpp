#pragma once

#include <filesystem>

#include "reshard/records/plans.hpp"

namespace reshard {

/// Plans of one host: a directory each. In it the plan, written once; `journal.jsonl`, to which
/// each record is appended and synced; asks and options, a file each; and what a coordinator shows.
class DirectoryPlans : public Plans {
 public:
  /// `config`: whose routers plans that go on have (`take_routers`); nullopt: as they were planned.
  explicit DirectoryPlans(std::filesystem::path plans,
                          std::optional<config::Config> config = std::nullopt)
      : plans_(std::move(plans)), config_(std::move(config)) {}

  [[nodiscard]] std::vector<std::uint64_t> numbers() override;
  [[nodiscard]] Journal open(std::uint64_t number) override;
  using Plans::create;
  Journal create(const Plan& plan, const std::optional<Begun>& begun) override;
  [[nodiscard]] std::vector<Side> numbered_with(const Side& from, const Side& to) const override {
    return {from, to};
  }
  [[nodiscard]] std::uint64_t last_number() override;
  [[nodiscard]] std::unique_ptr<LockTurn> lock_turn() override;
  [[nodiscard]] std::string words() const override;
  [[nodiscard]] std::string place_of(const Plan& plan) const override;

 private:
  std::filesystem::path plans_;
  std::optional<config::Config> config_;
};

/// Where plans are kept, unless `--state` says otherwise.
inline constexpr const char* kStateDirectory = "/var/lib/moray-router/reshard";

}  // namespace reshard
