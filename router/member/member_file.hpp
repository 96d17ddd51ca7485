#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "fleet/protocol/requests.hpp"
#include "fleet/protocol/state.hpp"
#include "ring/vnode_set.hpp"

namespace router {

/// What a member keeps beside its store of rings (`<store>/member`): whether it is one, the change
/// that it has agreed to, what operators have blocked, and which vnodes those are. Written whole,
/// and on disk when a call returns. Owned by one process at a time. Failures throw
/// std::system_error, or std::runtime_error naming the file.
class MemberFile {
 public:
  /// Reads what an earlier process has left; takes the store for this one as long as this lives
  /// (`<store>/member.lock`). Throws where another process has it.
  explicit MemberFile(const std::filesystem::path& store);
  ~MemberFile();
  MemberFile(const MemberFile&) = delete;
  MemberFile& operator=(const MemberFile&) = delete;

  [[nodiscard]] const std::optional<fleet::Membership>& membership() const { return membership_; }
  [[nodiscard]] const std::optional<fleet::Record>& record() const { return record_; }
  [[nodiscard]] const fleet::Blocks& blocks() const { return blocks_; }
  /// The vnodes that the record's change is about; none without a record.
  [[nodiscard]] const ring::VnodeSet& record_vnodes() const { return record_vnodes_; }
  /// Sets of vnodes of `blocks`, by digest.
  [[nodiscard]] const std::map<std::string, ring::VnodeSet>& sets() const { return sets_; }
  /// The process before did not end by itself: what it has sent to shards may be done yet.
  [[nodiscard]] bool ended_uncleanly() const { return unclean_; }

  void keep(std::optional<fleet::Membership> membership);
  void keep(std::optional<fleet::Record> record, ring::VnodeSet vnodes);
  /// `sets`: of all of them; `seq`: of the state that says so, which a membership has then, too.
  void keep(fleet::Blocks blocks, std::map<std::string, ring::VnodeSet> sets,
            std::uint64_t seq = 0);
  /// From now on something may be sent to shards: a process that does not say `ends_cleanly` after
  /// it has not ended by itself.
  void begins();
  /// Nothing that was sent is under way: the next process need not wait for it.
  void ends_cleanly();

 private:
  void read();
  void write() const;

  std::filesystem::path file_, running_;
  int lock_ = -1;
  bool unclean_ = false, begun_ = false;
  std::optional<fleet::Membership> membership_;
  std::optional<fleet::Record> record_;
  ring::VnodeSet record_vnodes_;
  fleet::Blocks blocks_;
  std::map<std::string, ring::VnodeSet> sets_;
};

}  // namespace router
