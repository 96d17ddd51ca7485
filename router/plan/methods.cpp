#include "router/plan/methods.hpp"

#include <array>

namespace router {
namespace {

using backends::Rpc;
using enum ArgumentType;

constexpr Argument kBucket{"bucket", string};
constexpr Argument kOptions{"options", object};
constexpr Argument kKey{"key", string};
constexpr Argument kFilter{"filter", string};

constexpr std::array kCreateBucket{kBucket, Argument{"config", object}, kOptions};
constexpr std::array kGetBucket{kOptions, kBucket};
constexpr std::array kUpdateBucket{Argument{"name", string}, Argument{"config", object}, kOptions};
constexpr std::array kBucketOptions{kBucket, kOptions};
constexpr std::array kPutObject{kBucket, kKey, Argument{"value", object}, kOptions};
constexpr std::array kKeyOptions{kBucket, kKey, kOptions};
constexpr std::array kFilterOptions{kBucket, kFilter, kOptions};
constexpr std::array kUpdateObjects{kBucket, Argument{"fields", object}, kFilter, kOptions};
constexpr std::array kBatch{Argument{"requests", array}, kOptions};
constexpr std::array kReindex{kBucket, Argument{"count", number}, kOptions};
constexpr std::array kSql{Argument{"statement", string}, Argument{"values", array}, kOptions};
constexpr std::array kOnlyOptions{kOptions};
constexpr std::array kListen{Argument{"channel", string}, kOptions};
constexpr std::array kUnlisten{Argument{"id", string}, kOptions};

// rpc, name, arguments, route, reply edit, deadline, write, bucket_wide, retryable, stream
constexpr std::array<Method, backends::kRpcCount> kMethods{{
    {Rpc::create_bucket, "createBucket", kCreateBucket, Route::all_shards, ReplyEdit::drop,
     DeadlineClass::object, true, true, false, false},
    {Rpc::get_bucket, "getBucket", kGetBucket, Route::any_shard, ReplyEdit::none,
     DeadlineClass::object, false, false, true, false},
    {Rpc::list_buckets, "listBuckets", kOnlyOptions, Route::any_shard, ReplyEdit::none,
     DeadlineClass::object, false, false, true, false},
    {Rpc::update_bucket, "updateBucket", kUpdateBucket, Route::all_shards, ReplyEdit::drop,
     DeadlineClass::object, true, true, false, false},
    {Rpc::del_bucket, "delBucket", kBucketOptions, Route::all_shards, ReplyEdit::drop,
     DeadlineClass::object, true, true, false, false},
    {Rpc::put_object, "putObject", kPutObject, Route::by_key, ReplyEdit::add_node,
     DeadlineClass::object, true, false, false, false},
    {Rpc::get_object, "getObject", kKeyOptions, Route::by_key, ReplyEdit::object,
     DeadlineClass::object, false, false, true, false},
    {Rpc::del_object, "delObject", kKeyOptions, Route::by_key, ReplyEdit::drop,
     DeadlineClass::object, true, false, false, false},
    {Rpc::find_objects, "findObjects", kFilterOptions, Route::by_hashkey, ReplyEdit::record,
     DeadlineClass::find, false, false, true, true},
    {Rpc::update_objects, "updateObjects", kUpdateObjects, Route::by_hashkey, ReplyEdit::none,
     DeadlineClass::find, true, true, false, false},
    {Rpc::delete_many, "deleteMany", kFilterOptions, Route::by_hashkey, ReplyEdit::none,
     DeadlineClass::find, true, true, false, false},
    {Rpc::batch, "batch", kBatch, Route::by_batch, ReplyEdit::add_node, DeadlineClass::object, true,
     false, false, false},
    {Rpc::reindex_objects, "reindexObjects", kReindex, Route::all_shards, ReplyEdit::none,
     DeadlineClass::long_running, true, true, false, false},
    {Rpc::sql, "sql", kSql, Route::all_shards, ReplyEdit::none, DeadlineClass::long_running, true,
     true, false, true},
    {Rpc::get_tokens, "getTokens", kOnlyOptions, Route::here, ReplyEdit::none, DeadlineClass::none,
     false, false, false, false},
    {Rpc::ping, "ping", kOnlyOptions, Route::here, ReplyEdit::none, DeadlineClass::object, false,
     false, false, false},
    {Rpc::version, "version", kOnlyOptions, Route::here, ReplyEdit::none, DeadlineClass::none,
     false, false, false, false},
    {Rpc::listen, "listen", kListen, Route::here, ReplyEdit::none, DeadlineClass::none, false,
     false, false, true},
    {Rpc::unlisten, "unlisten", kUnlisten, Route::here, ReplyEdit::none, DeadlineClass::none, false,
     false, false, false},
}};

constexpr bool rows_stand_at_their_rpc() {
  for (std::size_t i = 0; i < kMethods.size(); ++i)
    if (static_cast<std::size_t>(kMethods[i].rpc) != i) return false;
  return true;
}
static_assert(rows_stand_at_their_rpc());

}  // namespace

const Method& method_of(backends::Rpc rpc) { return kMethods[static_cast<std::size_t>(rpc)]; }

std::span<const Method> methods() { return kMethods; }

}  // namespace router
