//! An RSA key of 2048 bits, one of 1024, and what the first signed: made once, with Python's `cryptography`.

use super::super::Algorithm;

/// The modulus of 2048 bits; the exponent of both is 65537.
pub(super) const MODULUS: &str = "m3I6hKQyDyfUuA5DIVDw9ndTspjSyxPQr20xJW8qjZvCRL57tqCag7rMB65zIaFA7ggQ7vUUrWbiqbvsNYy-7eNjP-qXRkNd2JnI\
    zCjcP6CSIxpcUYwjUZCOtslzhUoMxSq47qg95ab-n3mP5Mxb3nmhWyqW0IteVwExg9vEbMXs2B6I_IDiL91lMRVK98c1CradbIMu\
    Lz1Py3ZduvudM2QGwNjVAp80_ZM7_W-ooujwotLAxQNUtlyZsm9a0it5SMoC5aFIalBmbQYmGGXpJcePDDQ0ybi5UgYzJD16ePor\
    q7lgXeBX_gcNEB5BZhUr_yJFcshCf8N9-mfcN8utjQ";

/// The modulus of 1024 bits.
pub(super) const SHORT_MODULUS: &str = "pIwGWyTtwNE4xe3RsdRmRJdTDtDeIUCBsfVqW9E9tTS-46pnOIzSiT4FAlvO_WJ72xntlPvCf83qmMEBc_ghurwkAuBG9foY8zhU\
    DF055CgntbuFCZFNGuQZXASjVQUI5Lvy08B0I4I1UpKhKnnsCbtv-bu2os1umzh2fgZ3P38";

/// Signatures of `{"alg":"…"}.{"sub":"u1","exp":4102444800}`.
pub(super) const SIGNATURES: [(Algorithm, &str); 6] = [
    (
        Algorithm::RS256,
        "RA3a81KF69OeUj3pQ6S2qk8ll0o_1VmPS2NdP5cow_AYwV8WbkmmUPSJX499S_zIv-R3xb3eSrbWrgd-M4dkjh5n_qs6P5RT\
         Qzgy5yTevOCA8WZqTMeyFfJs_X86tDJhFW-af_F7uBguXmsRN8uiRdpG6s5Zv_wPfuaLay2JwfJRy7vvhxGgGai0wXFu00oL\
         RWO08U2onqxa_UpsBo1wCd-UVfs2gFnGABIC-T-kdiAnyu3dJcB-FeDI0jBrkc28qFEKRJ8qGbElQf1wTPi5Q89oKqruabCa\
         4ATVC04Qc7Iw62z88r3fcH__hpZFw2j71367vReJGZOsNBRDHlwpFw",
    ),
    (
        Algorithm::RS384,
        "Yhq_OjPylnW_REcsDxdp49hyPiORFbkhyH8ISzBdZA3fTNRhz1huUEtzJchILjNPceTWpJhUCPVkksjdJ02DgFHJO-1qRuxQ\
         CmRShG6Pyvh-20oEyv2vx_5aosMxeRCBhvwP0WFxos5x__z6C4TA2Jcu3XhRed5Ofj1UWVkkgeZ3XhN1OUHcX-wdXkw4aTLQ\
         XSnKKLLojBSPtJik9KgFB0pqpJPAMeCfrg0MPDku4N0n-wQLuwvogLgvtqJYSEYQC7xu026ddvWwYIpFzhUp3dvSo4OP4tcI\
         MGTJinQyx04FmgC8aYQ-nrD_XJDV2QN9GjK-gCirr2hoCLlkEIECGA",
    ),
    (
        Algorithm::RS512,
        "ZA0yFeCVeEhAY59o93bl00Z5Q4bIe_5RZ9AoLlnmOaUxcxxAHw4d-6Ap3oo3Pj0UHxySiHPm4qoWAd8-m5rZkVmU9TN-pVvU\
         KQCrvc2sO6sAtwlGudctRzvhZEK6ZQWOkoLGV0bt8sV8mX5j17_d2DeyJ6zmTRBPoAwcL7ZK3oUdxfSVpXvqnme1U1p1vDWs\
         DY3RvEMUXmQnGP2MD5XHHuoWxMNOPCLPh5ij_glpgzhzP22LdWdk5fj6GrpEK9rSI_QbtQTDET0PtKlBNF_0Gn4ZoFLjJ1mK\
         2B538jWen8cFFkimAJ3FFomfQiBbGkPkmd3TO_zYpbJ_gXx2I3CQSw",
    ),
    (
        Algorithm::PS256,
        "MZnO3nWT5UCGFizvJQEKTF-bIpvs3sKV4SJ9zlAQ1r3Fu2BeXrEIzCPSG3xxjNyIWIdU0G3_cvX3lEztM_HyYOvq0BwKv9H8\
         C259KnglfWoIBvAqSYhAc7rq2G-QAmXdshGAFuvDtoOFTOUO1HGXvkVz-FFVf5nhKbxaxagCQtDURVA1bTxO0LVXc6NQt6Bo\
         eY5y-ISxRYkuwd6BjDfdoXuhzG_X32ENfwtEixunM2571txlRMrxPj41FQMKQuN7ffFp-c-oG2d5MsXztqZ0B2dZYxIOWH6W\
         EqX5Thjf6QsG4x5HuHCJCemz2PwSU_nL7GtyokZfpLQMfuvJfwDjgw",
    ),
    (
        Algorithm::PS384,
        "H5MDoa0-MjJIXvgNmbFf7885GneaflGLIBzmyghfNHQh00sH_BpaLtJ-UWENO0iU1xfq0IYyZhFxiKz39iL1JMQmNg1ykSep\
         vEytJO9flmGCMEkT25GjdBmRdz_QrHXvb7sOQxVTAgl2JcuuglQx_UEsEhuwjOdZ0uMeXwrGinPGzkLOxDBThXg4wcCVHEcp\
         vOvnqQdRtxXQy11uEvclSqzpvK34dSuLYpTfctXWHZ0TwUd2BkkG-HiCJHdHVxc3NyP0ITECm6CmYzyT6vpbeySygLkHaAYC\
         pNwLav0jjh3Kez1j_J8Rd_kwiaUXQ75JuiyK8dno3Yuab6sW1vZI0g",
    ),
    (
        Algorithm::PS512,
        "HepdXM31RJcwlYvkDrplEBStUFW3zlCiGPtXb9ygE_pKCvAbxY65nlWSrhGbhKg79bf4nCvbkaHSwCuIZFct7Walpwwl85JQ\
         0CzLaOLFvVIMDRUoOFOel4KwSMIehCSZYi_6ySEeoUWefK4OjfITJytDaFkl5-A1NgHDraWkOhRQbc9PhrWx-ma2XXSsdlsy\
         5XoZdsEGoA6IlY7d2qp7uBWpd5bowWs9j_UKo443Q0Kiq10rrTtW74eWMix6kf4oCM9Z2RDq8_MOBDpGdCF0ubPkb1IYt9_1\
         3Ue88uXz63tnb6owC8L7E2nTXdz4Eil0SAIxRci3ZXZX3UmnwPqguA",
    ),
];
