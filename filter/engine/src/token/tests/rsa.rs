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

type Signatures = [(Algorithm, &'static str); 2];

/// Keys of 2048 bits with other exponents, the least and the greatest prime that may be one, and what they signed of the same:
/// by OpenSSL and Python's `cryptography`.
pub(super) const OF_OTHER_EXPONENTS: [(&str, &str, Signatures); 2] = [
    (
        "Aw",
        "t6uadyfLJ6ruGGEn61kHq3GGsfmFYvtrYlTlGIrsdlreOwo7ZFwwVKz89IJfbMALqC75ANuG-VtHVu6iP6fPInee6RAfDoed\
         oK8PC_BhqSuuAndoW1cAR2SUvmm38v4xrNv212_0XgLBoevAyYoRlJpuQBZdbihwQqZuCTaP6_Kgp4fM1y8gQ96SnkNjWbQK\
         OxJGDf7yltt3e24QBQL9HFqoc8hWxpqOkqL-MZ_USFBVb0dvnloBPHzBnLOrE4SmdMtGYxyl0pynQ6GqTvEaXARXBExXDQq3\
         xFTSyEDUj0PsZwl2FWYck6PxrKKiS7U6TwDmL_K1j1TivgZ9bGyt8Q",
        [
            (
                Algorithm::RS256,
                "OuGavOEB0Q_w0iQpjw4PlegvnCS-vjTVokeZr1i4oIcaJthvs141wbayy-04X_J8YhKo9rJZ6E6jpFaGxCYrjUU7T78V4DEV\
                 MAvHereUyuxM2F9SVhmTGFRhrtghRbtcndEXRQatZ_klrxnSZfmc4tcWqN--GolS-TBCEFcfUshNfl0LcXd9wjLtl6e4UPY3\
                 -hZWhELlzXN5vQv1BomDgRF_0Z5BNcXznP94IU5ya7Kh8GTi1guZtyGtV9z8nYjIBh11Wbm4U_l8F4BNQDSMId0Wn85fJG4t\
                 Il-qv48Tz4H1gaKxCipsEfhCfx1DFDJw5t3Eg4kPA18X07mI6U9sCQ",
            ),
            (
                Algorithm::PS256,
                "iBR4PMNly2bis49tHwDf4OzDU2shIds1eWZYOfptqTSs2wQP0crPS3A-KWr0jiR2TnhcXYsPHsaIrJq-l_1CxOKrBKrXsa0l\
                 FN_mFCiAm159RPauutnPtx-UTRjZz2tcAt4X9DV9R0XZ2dXkdvrLC0JrDhiPyrgoRcJQn5ujta2-eZ_OPhLU087cBpZ-ELWv\
                 QUXHJ6JoncNV-_nHr3SxXSSFtGI8Lhff7HbP8JB6T9Q7JO9jFbEUy9zEpL7hDItczlMEFt5hfnkw2ATck4MpyQ9i13jB5Err\
                 BcZofCFmAwX9sdbqYrpI3O3hzDK43m8Rr3smgr-CkRhpJau7w0OXXA",
            ),
        ],
    ),
    (
        "Af____c",
        "yE71s55PL--srFzecvsWauEdANFsBEH8bjGFWR8_pDdjoSCiHGmTwKZmxxp4ayShfmwLIumiK_KP0NzcwVPm8BklDQZX-pSB\
         _QGiywWWIrYQ51-Z-bcN3dJae-3WNPFJW4q_KKzIFDwtLHbfDD-cXh0LDctBaRUUecV5b322QCcypkfp2ysUGLVmO5ckf6OR\
         uMtkvQdMmKKM0CKy28_VXE_06aMu73Sa1DOB3Q48rHxcJeMcQsKsN2nYXeOKvc5FvCVqO3mDZ3GDC8S71x4tp7c_8olwfWVD\
         pqdtIdlZae0IoWMUJANMM4Oh-AP6YoYMXwdYP289VKbEyNsKBAQgyQ",
        [
            (
                Algorithm::RS256,
                "R0DFQU_esZmlBLjDj9HmNcz2KwDKDC_H8b1kczWExkDF_AmDK3J_wCQg_mRdTV2n_11MRBM_4gVU9lIBaC7STpX50vEX-ShW\
                 VSb37KN386-R6NS7eU3SkqQBLy7qrACLRzsmSORAaHNcc302XueB3fXVCaSM6zc71_1CIDFarKa28QypLvTUleIUMZxBZC3w\
                 fNFK6o87xA0yJ2vrKjuMVE-BFhd2GTpwnslkHZuWZgsTN7YYzdEaYbLRLdvGZ3vaIpas2hwa8ams9QqNvl6jjNIYRaku01Kf\
                 mTNhR28sqZTSauiNitBTI9rqecgSmjCDL1-80RsrystbQSQh_Gl-6w",
            ),
            (
                Algorithm::PS256,
                "XVAKj_aRibKf2U-dLNNKRRCoIaidM39qUaGm8ktWsnXexQGWWFCV5AKSz8AS_xE8WpyaivloQq117ZXKbTjPwJn6isYM8yAO\
                 EiKxfSaTxh0YR_fU0VIjh188V90w1CcFmNAQxAWFIvAdE0NInGr5CZFKtH_UEGvXrlgUEfUZaQ5L012xJrSo6b2zLK_IbKCi\
                 P_cJ3kxWeqlRVTXrhxlFkHIv0_OsxmvwRxrH8FlOkM2P6YqYK_ImPmYtcW-ilMsG55Fc1sHQOvf1oHH1QVDB7-HVWpqjFE7C\
                 rb08QEPwt4btFUlKAG4qRxORpj_ejPL8jz0Mi2gxu3VxBhuNKTc4Jg",
            ),
        ],
    ),
];
