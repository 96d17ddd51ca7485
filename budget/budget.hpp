#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

/// How many bytes a process holds for its clients, and who may hold more.
namespace budget {

/// The bytes of a whole process. Thread-safe: one counter that workers meet at, in steps of a
/// quarter of a megabyte (Account). Its order to anything else does not matter, so that it is
/// relaxed: who reads a bound that is a step old decides by it once, and no byte depends on it.
class alignas(64) Budget {
 public:
  explicit Budget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// What is held stays, also over a lower bound.
  void configure(std::size_t bytes_max) { bytes_max_.store(bytes_max, std::memory_order_relaxed); }
  /// False: the bound would be passed, and nothing was taken. O(1).
  [[nodiscard]] bool take(std::size_t bytes);
  /// What is there already counts, beyond the bound, too.
  void take_anyway(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_.load(std::memory_order_relaxed); }
  /// 0 where more is held than the bound.
  [[nodiscard]] std::size_t free() const;

 private:
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> bytes_max_;
};

/// One worker's view of the budget. It keeps some free bytes back, so that small requests don't
/// meet other workers. Lives on that worker; outlives the charges that draw on it.
class Account {
 public:
  explicit Account(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  ~Account() { budget_->give(reserve_); }
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  [[nodiscard]] bool take(std::size_t bytes);
  void take_anyway(std::size_t bytes);
  void give(std::size_t bytes);

  /// What could be taken now, by anybody.
  [[nodiscard]] std::size_t free() const { return budget_->free() + reserve_; }
  /// What one client, or one shard, may hold: a quarter of what nobody holds. It shrinks while
  /// others take, and leaves something to the next, however many there are: of n who take all that
  /// they may, each has 1/(n+4) of the budget, and as much is free for four more.
  [[nodiscard]] std::size_t share() const { return free() / 4; }
  /// Most is taken: who holds bytes and does nothing with them is given less time.
  [[nodiscard]] bool pressed() const { return free() < budget_->bytes_max() / 4; }
  [[nodiscard]] std::size_t bytes_max() const { return budget_->bytes_max(); }
  /// By this worker's charges.
  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  static constexpr std::size_t kStep = 256 << 10;

  std::shared_ptr<Budget> budget_;
  std::size_t reserve_ = 0;
  std::size_t held_ = 0;
};

/// What one thing holds; given back at its end. Lives on the account's worker.
class Charge {
 public:
  Charge() = default;
  explicit Charge(Account& account) : account_(&account) {}
  Charge(Charge&& other) noexcept
      : account_(other.account_), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(account_, other.account_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() { set(0); }

  /// False: there is no room for so many more.
  [[nodiscard]] bool grow(std::size_t by) {
    if (!account_->take(by)) return false;
    bytes_ += by;
    return true;
  }
  /// It holds so many now.
  void set(std::size_t bytes) {
    if (bytes > bytes_)
      account_->take_anyway(bytes - bytes_);
    else if (bytes < bytes_)
      account_->give(bytes_ - bytes);
    bytes_ = bytes;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  Account* account_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace budget
