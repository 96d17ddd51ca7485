#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/postgres/operations/bucket_cache.hpp"
#include "backends/postgres/operations/listeners.hpp"
#include "backends/postgres/operations/plan_guard.hpp"
#include "backends/postgres/sql/failure.hpp"
#include "backends/postgres/wire/pool.hpp"
#include "backends/postgres/wire/task.hpp"
#include "backends/rpc.hpp"
#include "backends/serving_lease.hpp"
#include "objects/js_value.hpp"

/// Each RPC of a PostgreSQL shard as a coroutine. Arguments have been checked
/// (objects::check_arguments). They throw RpcError, StatementFailed and NoConnection.
namespace backends::postgres {

/// What an RPC works with; outlives it.
struct Work {
  Work(Pool& pool_, BucketCache& buckets_) : pool(pool_), buckets(buckets_) {}

  Pool& pool;
  BucketCache& buckets;
  std::uint32_t affinity = 0;
  std::string ring;                                 ///< its digest, for what goes by a filter
  std::shared_ptr<const ServingLease> lease;        ///< beyond it nothing is sent; null: any time
  std::int64_t now_ms = 0;                          ///< since 1970
  std::uint64_t random = 0;                         ///< fresh for each RPC
  std::optional<std::uint32_t> statement_limit_ms;  ///< options.timeout; 0: none
  /// In which the server ends a statement; 0: none by us.
  [[nodiscard]] std::chrono::milliseconds limit() const {
    return statement_limit_ms ? std::chrono::milliseconds(*statement_limit_ms)
                              : pool.options().point_limit;
  }
  bool any_version = false;  ///< rows of newer versions of the bucket are overwritten too
  /// Sends a value, as JSON, before the operation's end. True: no more until the client has taken
  /// it.
  std::function<bool(std::string value)> emit;
  /// The connection whose rows are held up while the client is slow; null: none.
  Connection** streaming = nullptr;
  /// Set by an operation without an end of its own: ends it, as a failure. May be called at any
  /// time on the worker, but not from inside the operation.
  std::function<void()>* stop = nullptr;
  Listeners* listeners = nullptr;
  const bool* given_up = nullptr;  ///< nobody waits for the answer
  bool claims = false;             ///< it waits for a connection, and has changed nothing
  TwoSteps* steps = nullptr;       ///< of a change of buckets; null: it is made in one
};

using Values = Task<objects::JsArray>;

/// That of an RPC which needs the database.
Values perform(Rpc rpc, Work& work, const objects::JsArray& arguments);

Values get_object(Work& work, const objects::JsArray& arguments);
Values put_object(Work& work, const objects::JsArray& arguments);
Values del_object(Work& work, const objects::JsArray& arguments);
Values find_objects(Work& work, const objects::JsArray& arguments);
Values update_objects(Work& work, const objects::JsArray& arguments);
Values delete_many(Work& work, const objects::JsArray& arguments);
Values batch(Work& work, const objects::JsArray& arguments);
Values create_bucket(Work& work, const objects::JsArray& arguments);
Values get_bucket(Work& work, const objects::JsArray& arguments);
Values list_buckets(Work& work);
Values update_bucket(Work& work, const objects::JsArray& arguments);
Values del_bucket(Work& work, const objects::JsArray& arguments);
Values reindex_objects(Work& work, const objects::JsArray& arguments);
Values sql(Work& work, const objects::JsArray& arguments);
Values ping(Work& work, const objects::JsArray& arguments);
Values listen(Work& work, const objects::JsArray& arguments);
Values unlisten(Work& work, const objects::JsArray& arguments);

/// Called right before a read is sent, since it may have waited for a connection, or for what is
/// known of its bucket. Throws NotServed.
inline void require_served(const Work& work) {
  if (work.lease != nullptr && work.lease->over()) throw NotServed{};
}

/// Whether nobody waits for the answer any more.
inline bool given_up(const Work& work) { return work.given_up != nullptr && *work.given_up; }

/// Runs one statement within the RPC's `statement_limit_ms`. `step` must outlive the call.
Task<QueryResult> run_limited(Work& work, Connection& connection, const Step& step);
/// The same for one that changes nothing, over a pipelined connection.
Task<QueryResult> read_limited(Work& work, Connection& connection, const Step& step);
/// Many in one round trip; the results without that of the limit.
Task<std::vector<QueryResult>> run_all_limited(Work& work, Connection& connection,
                                               std::vector<Step> steps);

// What batch shares with the RPCs: each on a connection of its choosing.

Task<std::shared_ptr<const BucketTable>> bucket(Work& work, Connection& connection,
                                                const std::string& name,
                                                const objects::JsValue& options);
/// The new etag.
Task<std::string> put(Work& work, Connection& connection, const BucketTable& table,
                      const std::string& key, const objects::JsObject& value,
                      const objects::JsValue& options);
Task<bool> erase(Work& work, Connection& connection, const BucketTable& table,
                 const std::string& key, const objects::JsValue& options);
struct Updated {
  std::int64_t count = 0;
  std::string etag;  ///< of all rows updated
};
Task<Updated> update(Work& work, Connection& connection, const BucketTable& table,
                     const objects::JsObject& fields, const std::string& filter,
                     const objects::JsValue& options);
Task<std::int64_t> erase_many(Work& work, Connection& connection, const BucketTable& table,
                              const std::string& filter, const objects::JsValue& options);

/// updateObjects' statement; the etag that all of its rows get. Throws RpcError.
struct UpdateStep {
  Step step;
  std::string etag;
};
UpdateStep update_step(Work& work, const BucketTable& table, const objects::JsObject& fields,
                       const std::string& filter, const objects::JsValue& options);
/// deleteMany's statement. Throws RpcError.
Step erase_many_step(const Work& work, const BucketTable& table, const std::string& filter,
                     const objects::JsValue& options);
/// How many rows either has changed, from its result.
std::int64_t changed_rows(const Rows& rows);

/// An RPC's only value.
inline objects::JsArray one_value(objects::JsObject value) {
  return objects::JsArray(1, objects::JsValue(std::move(value)));
}

/// Without those of the first `count` statements, which prepare the others. Where one of them
/// failed, its error is that of the others, which only say that they were skipped.
void drop_first(std::vector<QueryResult>& results, std::size_t count);

/// Whether a put of such a bucket takes several statements.
bool needs_transaction(const BucketTable& table);

/// An exclusive connection, or NoConnection.
Task<Pool::Lease> claim(Work& work, bool stream);
/// One that points go over, or NoConnection.
Connection& point(Work& work);

/// A transaction: rolled back, or its connection closed, unless it was committed.
class Transaction {
 public:
  static Task<Transaction> begin(Work& work, bool stream = false);
  /// With statements that name rows by keys, in the same round trip. `results`: theirs.
  static Task<Transaction> begin_with(Work& work, std::vector<Step> steps,
                                      std::vector<QueryResult>& results);
  Transaction(Transaction&& other) noexcept
      : lease_(std::move(other.lease_)), open_(std::exchange(other.open_, false)) {}
  ~Transaction();
  Connection& operator*() const { return *lease_; }
  Task<bool> commit();
  /// After an error: the connection can be used again.
  Task<bool> roll_back();

 private:
  explicit Transaction(Pool::Lease lease) : lease_(std::move(lease)), open_(true) {}
  Pool::Lease lease_;
  bool open_ = false;
};

/// Runs `work_in` in a transaction that has begun, commits or rolls back, and gives its result.
template <typename Result>
Task<Result> finish_transaction(Transaction transaction,
                                std::function<Task<Result>(Connection&)> work_in) {
  std::optional<Result> result;
  std::exception_ptr failure;
  try {
    result.emplace(co_await work_in(*transaction));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await transaction.roll_back();
    std::rethrow_exception(failure);
  }
  co_await transaction.commit();
  co_return *std::move(result);
}
/// The same in a new one.
template <typename Result>
Task<Result> in_transaction(Work& work, std::function<Task<Result>(Connection&)> work_in) {
  Transaction transaction = co_await Transaction::begin(work);
  co_return co_await finish_transaction<Result>(std::move(transaction), std::move(work_in));
}

/// Runs an operation on buckets once more, with them read anew, where another process has changed a
/// table meanwhile; and again, where it was changed between that and its use. `attempt` must not
/// have sent anything to the client.
template <typename Result>
Task<Result> with_buckets(Work& work, std::vector<std::string> names,
                          std::function<Task<Result>()> attempt) {
  for (int attempts = 1;; ++attempts) {
    auto before = BucketCache::Clock::now();
    try {
      co_return co_await attempt();
    } catch (const StatementFailed& failed) {
      if (!reads_anew(failed.error, attempts)) throw;
    } catch (const RpcError& refused) {
      const bool older = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return work.buckets.knew(name, before);
      });
      if (!refused.by_bucket || attempts > 1 || !older) throw;
    } catch (const NewerRow&) {
      if (work.any_version) throw;
      work.any_version = true;  // as moray: what is known then holds
      before = BucketCache::Clock::time_point::max();
    }
    for (const std::string& name : names) work.buckets.drop(name, before);
  }
}
template <typename Result>
Task<Result> with_bucket(Work& work, const std::string& name,
                         std::function<Task<Result>()> attempt) {
  return with_buckets<Result>(work, std::vector<std::string>(1, name), std::move(attempt));
}

}  // namespace backends::postgres
