#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "backends/rpc.hpp"
#include "tests/contract/random_values.hpp"
#include "tests/contract/shard_client.hpp"

namespace test_support {

struct RandomRequest {
  backends::Rpc rpc = backends::Rpc::ping;
  std::string arguments;   ///< JSON
  bool any_order = false;  ///< of the rows of its answer
  std::string bucket, key;
};

/// Requests to a few buckets with all types of indexes, the same for the same seed: values that
/// convert and values that don't, filters of all kinds, etags that fit and others.
class RandomRequests {
 public:
  explicit RandomRequests(unsigned seed) : random_(seed) {}

  RandomRequest next();
  /// Gets of one bucket, for one turn; none: no bucket is made yet.
  std::vector<RandomRequest> gets();
  /// So that conditions can name etags that are there.
  void learn(const RandomRequest& request, const Answer& answer);

 private:
  struct Field {
    std::string name, type;
    bool unique = false;
  };
  struct Bucket {
    std::vector<Field> fields;
    int version = 1;
  };

  std::size_t dice(std::size_t sides) { return random_() % sides; }
  template <typename List>
  std::string one_of(const List& list) {
    return list[dice(std::size(list))];
  }

  RandomRequest make_bucket(const std::string& name);
  RandomRequest change_bucket(const std::string& name);
  RandomRequest put(const std::string& name);
  RandomRequest find(const std::string& name);
  RandomRequest change_many(const std::string& name);
  RandomRequest batch(const std::string& name);
  std::string config(const Bucket& bucket) const;
  Field random_field();
  std::string some_key();
  std::string object(const std::string& bucket);  ///< JSON
  std::string filter(const Bucket& bucket, int depth);
  std::string filter_of_member();
  std::string filter_of(const Field& field);
  std::string selection(const Bucket& bucket, bool ordered);
  std::string etag_option(const std::string& bucket, const std::string& key);

  std::mt19937 random_;
  RandomValues values_{random_};
  int fields_made_ = 0;
  std::map<std::string, Bucket> buckets_;
  std::map<std::string, std::string> etags_;  // by bucket and key
};

}  // namespace test_support
