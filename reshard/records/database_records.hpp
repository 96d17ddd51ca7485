#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reshard/records/records.hpp"
#include "reshard/records/side_session.hpp"
#include "reshard/records/tables.hpp"
#include "reshard/records/watch.hpp"

namespace reshard {

/// Records in both databases of a plan, so that any host can go on with it. A coordinator's record
/// is written on its locked session, by a statement that checks the plan's epoch, at the side whose
/// word counts at that moment, and must be kept there; then at the other side, if that is taken,
/// too. What one side lacks it is given when it is taken. Of what the sides have, the newest
/// counts: a failover may take the end of one side's records away, and they are still at the other;
/// or they are not, and what is left was true for that side together with its row and its log.
class DatabaseRecords : public Records {
 public:
  /// `directory`: for files that may go at any time.
  DatabaseRecords(const Plan& plan, std::filesystem::path directory);

  /// Throws Waiting where neither side answers, or one does not that this coordinator has taken.
  [[nodiscard]] std::vector<std::string> lines() const override;
  void append(const std::string& line, const Tenure& by) override;

  void carried_on() override;
  void let_go() override { taken_.clear(); }
  void taken(Role role, const TakenSide& side) override;
  [[nodiscard]] bool by_side() const override { return true; }

  [[nodiscard]] std::array<std::string, 2> row_states() const override;

  void ask(const std::string& what) override { put(what, true, ""); }
  void unask(const std::string& what) override { put(what, false, ""); }
  [[nodiscard]] std::optional<std::string> asked_at(const std::string& what) const override;

  [[nodiscard]] std::string options() const override;
  void set_options(const std::string& text) override;
  [[nodiscard]] std::string options_place() const override;

  bool show(const std::string& json, const std::string& writer,
            const std::optional<Epochs>& coordinator) override;
  [[nodiscard]] std::string shown() const override;

  [[nodiscard]] const std::filesystem::path& directory() const override;

 private:
  [[nodiscard]] SideSession& side(Role role) const { return sides_[role == Role::source ? 0 : 1]; }
  void append_alone(const std::string& line);
  void append_at(const TakenSide& side, const std::string& line);
  [[nodiscard]] kept::Asks asks() const;
  void put(const std::string& what, bool asked, const std::string& value);

  const Plan plan_;
  std::filesystem::path directory_;
  mutable std::array<SideSession, 2> sides_;  // beside a coordinator's own
  std::set<Role> taken_;
  mutable std::uint64_t last_seq_ = 0;  // that this process has seen
  std::string shown_as_;                // the act, and what it waits for
  std::unique_ptr<Watch> watch_;        // of a coordinator
};

}  // namespace reshard
